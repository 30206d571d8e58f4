"""Asks the lab's vCenter for what a client of guests falls over, with pyvmomi.

usage: guest_traps.py PORT PEM USER PASSWORD
Prints one JSON object with what it saw; the Swift test says what must be in it.
"""

import json
import sys
import time

from pyVmomi import vim
from vcenter_client import connect, reconfigure, refused, wait_for


def states(guests):
    return [str(guest.runtime.powerState) for guest in guests]


def start(center, guests, **options):
    """One PowerOnMultiVM_Task: how it ended, what it says it did, and what is on then."""
    chosen = [vim.option.OptionValue(key=key, value=value) for key, value in options.items()]
    task = center.PowerOnMultiVM_Task(guests, chosen)
    error = wait_for(task)["error"]
    result = task.info.result
    return {
        "error": error, "attempted": len(result.attempted), "refused": len(result.notAttempted),
        "recommended": [entry.action[0].targetHost.name for entry in result.recommendations],
        "states": states(guests)}


def power_on(center, cluster, guests):
    for guest in guests:
        wait_for(guest.PowerOffVM_Task())
    seen = {}
    level = vim.cluster.DrsConfigInfo(defaultVmBehavior="manual")
    reconfigure(cluster, drsConfig=level)
    seen["manual"] = start(center, guests)
    automatic = vim.cluster.DrsConfigInfo.DrsBehavior.fullyAutomated
    seen["overridden"] = start(center, guests[:1], OverrideAutomationLevel=automatic)
    level = vim.cluster.DrsConfigInfo(defaultVmBehavior="fullyAutomated")
    reconfigure(cluster, drsConfig=level)
    seen["automatic"] = start(center, guests)
    return seen


def answer(guest):
    """A guest that asks while it is started: the task goes on when it is answered."""
    task = guest.PowerOnVM_Task()
    time.sleep(0.5)
    question = guest.runtime.question
    seen = {"waiting": str(task.info.state), "choices": [c.key for c in question.choice.choiceInfo]}
    seen["other"] = refused(lambda: guest.AnswerVM("no such", "0"))
    guest.AnswerVM(question.id, question.choice.choiceInfo[1].key)
    seen["again"] = refused(lambda: guest.AnswerVM(question.id, "0"))
    seen["error"] = wait_for(task)["error"]
    return seen


def terminate(guest):
    """A guest whose power-off hangs."""
    task = guest.PowerOffVM_Task()
    time.sleep(0.5)
    seen = {"waiting": str(task.info.state), "on": states([guest])[0]}
    guest.TerminateVM()
    seen["error"] = wait_for(task)["error"]
    seen["then"] = states([guest])[0]
    seen["again"] = refused(guest.TerminateVM)
    return seen


def main(port, pem, user, password):
    content = connect(port, pem, user, password).RetrieveContent()
    center = content.rootFolder.childEntity[0]
    cluster = center.hostFolder.childEntity[0]
    guests = {guest.name: guest for host in cluster.host for guest in host.vm}
    seen = {
        "power on": power_on(center, cluster, [guests["db-replica"], guests["db-backup"]]),
        "answer": answer(guests["db-main"]), "terminate": terminate(guests["mid-queue01"]),
        "disabled": refused(guests["mid-queue02"].ShutdownGuest),
        "health": cluster.summary.vcsHealthStatus,
        "own level": [[entry.key.name, str(entry.behavior)]
                      for entry in cluster.configurationEx.drsVmConfig],
        "key": guests["app-web01"].config.keyId.providerId.id,
        "tpm": guests["app-web01"].summary.config.tpmPresent,
        "providers": [[provider.clusterId.id, provider.managementType]
                      for provider in content.cryptoManager.kmipServers],
    }
    json.dump(seen, sys.stdout)


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:5])
