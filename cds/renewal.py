"""Renew every model with the cases of all hospitals together: what was asked, and what was learnt to be true."""

from __future__ import annotations

import logging

from django.utils import timezone

from cds import registry
from cds.watch import people
from scoring import renewal, shelf
from scoring.errors import ModelMissing
from scoring.models import Prediction, TrainingRun

logger = logging.getLogger(__name__)


def renew_all() -> list[TrainingRun]:
    """One run a model that is in use. None is promoted."""
    services = {service.model: service for service in registry.all_services() if service.model}
    runs = []
    for name, service in sorted(services.items()):
        try:
            features = tuple(shelf.active_facts(name)["features"])
        except ModelMissing as error:
            logger.error("nothing to renew: %s", error)
            continue
        asked = people(Prediction.objects.filter(model_name=name), features)
        run = renewal.renew(name, asked, threshold=service.threshold, now=timezone.now())
        level = logging.ERROR if run.status == TrainingRun.Status.UNAVAILABLE else logging.INFO
        logger.log(level, "renewal of %s: %s", name, " ".join(renewal.in_words(run)))
        runs.append(run)
    return runs
