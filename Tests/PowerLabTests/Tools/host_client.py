"""Drives a simulated host's own SOAP endpoint with pyvmomi, a client nobody of this project wrote.

usage: host_client.py PORT PEM USER PASSWORD
Prints one JSON object with what it saw; the Swift test says what must be in it.
"""

import json
import sys
import time

from pyVim.connect import Disconnect
from pyVmomi import vim

from vcenter_client import connect, refused, wait_for

PORT, PEM, USER, PASSWORD = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]


def vms(host):
    return {vm.name: vm for vm in host.vm}


def autostart(manager):
    """The settings as they are: defaults, then each guest's order, action and delay."""
    config = manager.config
    return {
        "enabled": config.defaults.enabled, "startDelay": config.defaults.startDelay,
        "stopAction": config.defaults.stopAction,
        "guests": {info.key.name: [info.startOrder, info.startAction, info.startDelay,
                                   str(info.waitForHeartbeat)] for info in config.powerInfo},
    }


def power_info(vm, order, action):
    return vim.host.AutoStartManager.AutoPowerInfo(
        key=vm, startOrder=order, startDelay=-1, waitForHeartbeat="systemDefault",
        startAction=action, stopDelay=-1, stopAction="systemDefault")


def main():
    seen = {"wrong password": refused(lambda: connect(PORT, PEM, USER, "wrong"))}
    instance = connect(PORT, PEM, USER, PASSWORD)
    content = instance.content
    about = content.about
    seen["about"] = [about.apiType, about.productLineId, about.apiVersion]
    seen["ids"] = [reference._moId for reference in (
        content.rootFolder, content.propertyCollector, content.sessionManager)]
    datacenter = content.rootFolder.childEntity[0]
    resource = datacenter.hostFolder.childEntity[0]
    host = resource.host[0]
    manager = host.configManager.autoStartManager
    seen["tree"] = [datacenter._moId, datacenter.vmFolder._moId, resource._moId,
                    resource.resourcePool._moId, host._moId, manager._moId]
    view = content.viewManager.CreateContainerView(
        content.rootFolder, [vim.VirtualMachine], True)
    seen["view"] = sorted(int(vm._moId) for vm in view.view)
    view.DestroyView()
    found = vms(host)
    seen["guests"] = {
        name: [vm.config.instanceUuid, vm.summary.config.vmPathName, str(vm.runtime.powerState),
               vm.runtime.host._moId, vm.resourcePool._moId]
        for name, vm in found.items()}
    seen["lockdown"] = str(host.config.lockdownMode)
    seen["privileges"] = [
        bool(part.isGranted) for part in content.authorizationManager.HasPrivilegeOnEntities(
            [host], content.sessionManager.currentSession.key,
            ["Host.Config.Maintenance"])[0].privAvailability]
    backup = found["db-backup"]
    seen["shutdown"] = refused(backup.ShutdownGuest)
    end = time.monotonic() + 10
    while backup.runtime.powerState != "poweredOff" and time.monotonic() < end:
        time.sleep(0.05)
    seen["then"] = str(backup.runtime.powerState)
    web = found["app-web01"]
    seen["no tools"] = refused(lambda: found["mid-notools"].ShutdownGuest())
    seen["off"] = wait_for(web.PowerOffVM_Task())["states"]
    seen["off again"] = wait_for(web.PowerOffVM_Task())["existing"]
    seen["shutdown of an off one"] = refused(lambda: web.ShutdownGuest())
    seen["on"] = wait_for(web.PowerOnVM_Task())["error"]
    seen["suspend"] = wait_for(web.SuspendVM_Task())["error"]
    seen["register"] = {
        what: wait_for(datacenter.vmFolder.RegisterVM_Task(
            path=path, asTemplate=False, pool=resource.resourcePool))["error"]
        for what, path in {
            "here already": web.summary.config.vmPathName, "no file": "[datastore 1] no/such.vmx",
        }.items()}
    seen["maintenance"] = wait_for(host.EnterMaintenanceMode_Task(timeout=1))["error"]
    seen["exit"] = wait_for(host.ExitMaintenanceMode_Task(timeout=1))["error"]
    seen["evacuate"] = refused(lambda: host.EnterMaintenanceMode_Task(
        timeout=1, evacuatePoweredOffVms=True))
    seen["autostart"] = [autostart(manager)]
    manager.ReconfigureAutostart(vim.host.AutoStartManager.Config(
        defaults=vim.host.AutoStartManager.SystemDefaults(enabled=True, startDelay=7),
        powerInfo=[power_info(web, 1, "powerOn")]))
    seen["autostart"].append(autostart(manager))
    manager.ReconfigureAutostart(vim.host.AutoStartManager.Config(
        powerInfo=[power_info(web, -1, "none")]))
    seen["autostart"].append(autostart(manager))
    seen["cluster"] = refused(lambda: resource.ReconfigureComputeResource_Task(
        vim.ComputeResource.ConfigSpec(), True))
    seen["not forced"] = wait_for(host.ShutdownHost_Task(force=False))["error"]
    Disconnect(instance)
    seen["after logout"] = refused(lambda: host.name)
    instance = connect(PORT, PEM, USER, PASSWORD)
    host = instance.content.rootFolder.childEntity[0].hostFolder.childEntity[0].host[0]
    seen["forced"] = host.ShutdownHost_Task(force=True)._GetMoId().startswith("haTask-ha-host-")
    json.dump(seen, sys.stdout)


if __name__ == "__main__":
    main()
