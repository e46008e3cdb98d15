"""What a Job does about a pod that has failed, as the Job API documents podFailurePolicy. Starts nothing."""

DISRUPTED = "DisruptionTarget"


def action(job, exit_code, conditions=()):
    """The action of the first rule that matches; Count where none does."""
    for rule in job.get("podFailurePolicy", {}).get("rules", []):
        codes = rule.get("onExitCodes")
        if codes is not None and exit_code != 0:
            if (exit_code in codes["values"]) == (codes["operator"] == "In"):
                return rule["action"]
        for pattern in rule.get("onPodConditions", []):
            if pattern["type"] in conditions and pattern.get("status", "True") == "True":
                return rule["action"]
    return "Count"
