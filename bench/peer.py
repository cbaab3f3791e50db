"""The peer: HealthChain's CDS Hooks service doing the same job with the same model. Runs in an environment of its own.

Written against its public API. Two applications, as it allows one handler for each hook: one answers a fixed card, one
scores. The features come from the plain walk over the dicts that its request model gives, the quickest way it offers.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import walk
from healthchain.gateway import CDSHooksService, HealthChainAPI
from healthchain.models import CDSRequest, CDSResponse
from healthchain.models.responses.cdsresponse import Card, Source
from xgboost import Booster, DMatrix

MODEL = Path(os.environ["BENCH_MODEL"])
booster = Booster(params={"nthread": 1})
booster.load_model(MODEL)
LINE = json.loads(MODEL.with_suffix(".json").read_text())["calibration"]  # Platt's, as ours applies it


def scored(request: CDSRequest) -> CDSResponse:
    """Features, probability, exact contributions, one card with the five strongest reasons."""
    row = walk.features(request.prefetch or {})
    if row is None:
        return CDSResponse(cards=[])
    matrix = DMatrix(np.asarray([row]), feature_names=list(walk.ORDER), nthread=1)
    *shares, base = (booster.predict(matrix, pred_contribs=True)[0].astype(float) * LINE["slope"]).tolist()
    probability = 1 / (1 + float(np.exp(-(base + LINE["intercept"] + sum(shares)))))
    strongest = sorted(zip(shares, walk.ORDER, row, strict=True), key=lambda one: -abs(one[0]))[:5]
    detail = "\n".join(f"* {name}: {value:g} ({share:+.2f})" for share, name, value in strongest)
    return _answer(f"Probability {probability:.6f}. Consider HbA1c.", detail)


def fixed(request: CDSRequest) -> CDSResponse:
    return _answer("Consider HbA1c.", "Always the same.")


def _answer(summary: str, detail: str) -> CDSResponse:
    return CDSResponse(cards=[Card(summary=summary, indicator="info", detail=detail, source=Source(label="Bench"))])


def _application(handler: object) -> HealthChainAPI:
    service = CDSHooksService()
    service.hook("patient-view", id="diabetes-risk")(handler)
    application = HealthChainAPI()
    application.register_service(service)
    return application


scoring, static = _application(scored), _application(fixed)
