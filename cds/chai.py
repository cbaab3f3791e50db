"""The Applied Model Card of the Coalition for Health AI: the elements of its schema v0.2, as JSON.

https://mc.chai.org/v0.2/schema.xsd; the shapes of `ValueJson` are those of its published examples.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cds.service import DecisionService
from scoring.headline import Facts, by_group, figures, people
from scoring.models import ModelVersion

Said = Mapping[str, str]  # source attribute, or a field of CHAI's own -> what is said of it
_USEFUL = ("auroc", "at_threshold/alerts_per_100", "at_threshold/sensitivity", "at_threshold/ppv")
_SAFE = ("observed_expected", "calibration_slope", "brier")


def applied_model_card(service: DecisionService, version: ModelVersion, said: Said) -> dict[str, Any]:
    return {
        "BasicInfo": {
            "ModelName": version.name,
            "ModelDeveloper": said["developer"],
            "DeveloperContact": said["developer"],
        },
        "ReleaseInfo": _release(version, said),
        "ModelSummary": {
            "Summary": f"{service.description} Predicts: {version.facts['label']}.",
            "Keywords": [word.strip() for word in said.get("keywords", "").split(",") if word.strip()],
        },
        "UsesAndDirections": _uses(said),
        "Warnings": {
            "KnownRisksAndLimitations": said["known_risks"],
            "KnownBiasesOrEthicalConsiderations": said["fairness_internal"],
            "ClinicalRiskLevel": _told(said, "clinical_risk_level"),
        },
        "TrustIngredients": _trust(version.facts, said),
        "KeyMetrics": _metrics(version.facts, said),
        "Resources": {
            "EvaluationReferences": said["outcome_references"],
            "PeerReviewedPublications": _told(said, "publications"),
            "PatientConsentOrDisclosure": _told(said, "consent"),
        },
        "Bibliography": said.get("bibliography", ""),
    }


def model_type(facts: Facts) -> str:
    version = facts.get("libraries", {}).get("xgboost-cpu", "of unknown version")
    return f"Gradient-boosted decision trees (XGBoost {version}), explained by exact Shapley values"


def _release(version: ModelVersion, said: Said) -> dict[str, str]:
    return {
        "ReleaseStage": version.get_status_display(),
        "ReleaseDate": version.created_at.date().isoformat(),
        "ReleaseVersion": version.version,
        "GlobalAvailability": "Wherever Bedside is installed",
        "RegulatoryApproval": _told(said, "regulatory_approval"),
    }


def _uses(said: Said) -> dict[str, str]:
    return {
        "IntendedUseAndWorkflow": said["intended_use"],
        "PrimaryIntendedUsers": said["intended_users"],
        "HowToUse": _told(said, "how_to_use"),
        "TargetedPatientPopulation": said["intended_patients"],
        "CautionedOutOfScopeSettings": said["cautioned_uses"],
    }


def _trust(facts: Facts, said: Said) -> dict[str, Any]:
    return {
        "AISystemFacts": {
            "OutcomesAndOutputs": said["output_value"],
            "ModelType": model_type(facts),
            "InputDataSource": f"The patient's record, by FHIR: {', '.join(facts['features'])}",
            "OutputAndInputDataTypes": f"{said['output_kind']} Inputs are numbers, or missing.",
            "DevelopmentDataCharacterization": said["representativeness"],
            "BiasMitigationApproaches": said["bias_management"],
            "OngoingMaintenance": f"{said['validity_monitoring']} {said['update_process']}",
        },
        "TransparencyInformation": {
            "FundingSource": said["funding"],
            "StakeholdersConsulted": _told(said, "stakeholders"),
        },
    }


def _metrics(facts: Facts, said: Said) -> dict[str, Any]:
    found = figures(facts)
    groups = ((f"{title}, {by} {name}", value) for title, by, name, value in by_group(facts))
    return {
        "UsefulnessUsabilityEfficacy": _metric(
            facts,
            "Find those who have it, with few alerts",
            ((found[path].title, found[path].value) for path in _USEFUL),
            said["validity_internal"],
        ),
        "FairnessEquity": _metric(facts, "Serve all groups alike", groups, said["fairness_internal"]),
        "SafetyReliability": _metric(
            facts,
            "What is said is what is seen",
            ((found[path].title, found[path].value) for path in _SAFE),
            said["known_risks"],
        ),
    }


def _metric(facts: Facts, goal: str, results: Iterable[tuple[str, Any]], meaning: str) -> dict[str, Any]:
    return {
        "MetricGoal": goal,
        "Results": [{"Label": title, "ValueJson": _value(value)} for title, value in results if value is not None],
        "Interpretation": meaning,
        "TestType": "Retrospective, on people whom training never saw",
        "TestingDataDescription": people(facts.get("validated_on", {})),
        "ValidationProcessAndJustification": "In the model card, and in its facts.",
    }


def _value(value: Any) -> dict[str, Any]:
    """A fraction or a ratio, with its 95 % interval where there is one."""
    if isinstance(value, Mapping):
        return {
            "kind": "estimate_ci",
            "estimate": value["value"],
            "lower": value["low"],
            "upper": value["high"],
            "level": 95,
        }
    return {"kind": "single", "value": value}


def _told(said: Said, key: str) -> str:
    return said.get(key, "Not available: the service's folder does not say.")
