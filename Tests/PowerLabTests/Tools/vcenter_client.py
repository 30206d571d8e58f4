"""Drives the lab's vCenter with pyvmomi, a client that nobody of this project wrote.

usage: vcenter_client.py PORT PEM USER PASSWORD
The REST interface is asked through Python's own library: pyvmomi does not speak it.
Prints one JSON object with what it saw; the Swift test says what must be in it.
"""

import base64
import http.client
import json
import ssl
import sys
import threading
import time

from pyVim.connect import Disconnect, SmartConnect
from pyVmomi import VmomiSupport, vim, vmodl

PATHS = {
    vim.VirtualMachine: [
        "name", "config.template", "config.instanceUuid", "config.guestId", "config.managedBy",
        "config.extraConfig", "config.ftInfo", "summary.config.vmPathName", "runtime.powerState",
        "runtime.connectionState", "runtime.host", "runtime.question", "guest.toolsRunningStatus",
        "guest.hostName", "guest.ipAddress", "disabledMethod", "resourcePool", "parent",
        "summary.config.memorySizeMB", "customValue"],
    vim.HostSystem: [
        "name", "parent", "vm", "runtime.connectionState", "runtime.powerState",
        "runtime.inMaintenanceMode", "runtime.standbyMode", "runtime.dasHostState",
        "hardware.systemInfo.uuid", "summary.managementServerIp", "config.product.version"],
    vim.ClusterComputeResource: ["name", "parent", "host", "configurationEx"],
}
TASK_LIMIT_SECONDS = 20


def connect(port, pem, user, password):
    context = ssl.create_default_context(cafile=pem)
    return SmartConnect(host="localhost", port=port, user=user, pwd=password, sslContext=context)


def refused(action):
    """The type of the fault an action is refused with; None when it is not refused."""
    try:
        action()
    except vmodl.MethodFault as fault:
        return type(fault).__name__.split(".")[-1]
    return None


def filter_spec(view):
    walk = vmodl.query.PropertyCollector.TraversalSpec(
        name="view", path="view", skip=False, type=vim.view.ContainerView)
    return vmodl.query.PropertyCollector.FilterSpec(
        objectSet=[vmodl.query.PropertyCollector.ObjectSpec(
            obj=view, skip=True, selectSet=[walk])],
        propSet=[vmodl.query.PropertyCollector.PropertySpec(type=kind, pathSet=paths)
                 for kind, paths in PATHS.items()])


def retrieve(content, spec, most):
    collector = content.propertyCollector
    options = vmodl.query.PropertyCollector.RetrieveOptions(maxObjects=most)
    result, objects, pages, tokens = collector.RetrievePropertiesEx([spec], options), [], 0, []
    while result:
        pages += 1
        objects += result.objects
        if not result.token:
            break
        tokens.append(result.token)
        result = collector.ContinueRetrievePropertiesEx(result.token)
    again = refused(lambda: collector.ContinueRetrievePropertiesEx(tokens[0])) if tokens else None
    return objects, pages, again


def by_name(objects):
    rows = {}
    for found in objects:
        values = {prop.name: prop.val for prop in found.propSet}
        rows[values["name"]] = (found.obj, values)
    return rows


def wait_for(task):
    """The error's type, or None; the states that were seen."""
    states, limit = [], time.monotonic() + TASK_LIMIT_SECONDS
    while time.monotonic() < limit:
        info = task.info
        if not states or states[-1] != info.state:
            states.append(str(info.state))
        if info.state in ("success", "error"):
            return {"error": type(info.error).__name__.split(".")[-1] if info.error else None,
                    "states": states, "entity": info.entityName,
                    "existing": str(getattr(info.error, "existingState", ""))}
        time.sleep(0.02)
    raise SystemExit(f"a task did not end within {TASK_LIMIT_SECONDS} s")


def updates(collector, version, seconds):
    """All parts of the next set of updates."""
    options = vmodl.query.PropertyCollector.WaitOptions(maxWaitSeconds=seconds)
    found, parts = [], 0
    while True:
        result = collector.WaitForUpdatesEx(version, options)
        if result is None:
            return version, found, parts
        parts += 1
        version = result.version
        for filtered in result.filterSet:
            for change in filtered.objectSet:
                found.append({
                    "kind": str(change.kind), "object": change.obj._moId,
                    "changes": {c.name: str(c.val) for c in change.changeSet}})
        if not result.truncated:
            return version, found, parts


def wait_until(collector, version, reference, path, value, limit=TASK_LIMIT_SECONDS):
    """Waits for one property of one object; how often it was woken."""
    end, woken = time.monotonic() + limit, 0
    while time.monotonic() < end:
        version, found, _ = updates(collector, version, 5)
        woken += 1
        if any(c["object"] == reference and c["changes"].get(path) == value for c in found):
            return version, woken
    raise SystemExit(f"{reference} did not become {path} = {value}")


def options_of(content):
    setting = content.setting
    key = "config.vcls.clusters.domain-c8.enabled"
    seen = {"absent": refused(lambda: setting.QueryOptions(key))}
    setting.UpdateOptions([vim.option.OptionValue(key=key, value="false")])
    seen["written"] = setting.QueryOptions(key)[0].value
    seen["tree"] = sorted(option.key for option in setting.QueryOptions("VirtualCenter."))
    seen["outside"] = refused(
        lambda: setting.UpdateOptions([vim.option.OptionValue(key="foo.bar", value="x")]))
    seen["number"] = refused(
        lambda: setting.UpdateOptions([vim.option.OptionValue(key=key, value=1)]))
    setting.UpdateOptions([vim.option.OptionValue(key=key, value="true")])
    return seen


def reconfigure(cluster, modify=True, **parts):
    return wait_for(cluster.ReconfigureComputeResource_Task(
        vim.cluster.ConfigSpecEx(**parts), modify))


def automation(cluster):
    now = cluster.configurationEx
    return [now.dasConfig.enabled, now.drsConfig.enabled, str(now.drsConfig.defaultVmBehavior),
            now.dpmConfigInfo.enabled]


def cluster_work(cluster):
    seen = {"before": automation(cluster)}
    seen["task"] = reconfigure(
        cluster, dasConfig=vim.cluster.DasConfigInfo(enabled=False),
        drsConfig=vim.cluster.DrsConfigInfo(defaultVmBehavior="manual"),
        dpmConfig=vim.cluster.DpmConfigInfo(enabled=True))
    seen["changed"] = automation(cluster)
    reconfigure(cluster, dasConfig=vim.cluster.DasConfigInfo(enabled=True))
    seen["only HA"] = automation(cluster)
    overrides = vim.cluster.DrsConfigInfo(enableVmBehaviorOverrides=False)
    seen["overrides"] = [reconfigure(cluster, drsConfig=overrides)["error"],
                         cluster.configurationEx.drsConfig.enableVmBehaviorOverrides]
    seen["modes"] = [str(cluster.configurationEx.systemVMsConfig)]
    for mode in ("ABSENT", "SYSTEM_MANAGED"):
        reconfigure(cluster, systemVMsConfig=vim.cluster.SystemVMsConfigSpec(deploymentMode=mode))
        seen["modes"].append(cluster.configurationEx.systemVMsConfig.deploymentMode)
    seen["unserved"] = reconfigure(
        cluster, dasConfig=vim.cluster.DasConfigInfo(failoverLevel=2))["error"]
    seen["wrong spec"] = wait_for(cluster.ReconfigureComputeResource_Task(
        vim.ComputeResource.ConfigSpec(), True))["error"]
    reconfigure(cluster, modify=False, drsConfig=vim.cluster.DrsConfigInfo(enabled=True))
    seen["not modify"] = automation(cluster)
    return seen


def guest_work(collector, version, rows):
    web, host = rows["app-web01"][0], rows["esx1.lab"][0]
    seen = {"no tools": refused(rows["mid-notools"][0].ShutdownGuest)}
    web.ShutdownGuest()
    version, woken = wait_until(
        collector, version, web._moId, "runtime.powerState", "poweredOff")
    seen["woken"] = woken > 0
    seen["shutdown of an off one"] = refused(web.ShutdownGuest)
    seen["off"] = wait_for(rows["app-web02"][0].PowerOffVM_Task())
    seen["off again"] = wait_for(rows["app-web02"][0].PowerOffVM_Task())
    seen["on"] = wait_for(web.PowerOnVM_Task(host))
    seen["on again"] = wait_for(web.PowerOnVM_Task(host))
    seen["moved"] = wait_for(rows["app-web02"][0].PowerOnVM_Task(host))["error"]
    seen["moved to"] = rows["app-web02"][0].runtime.host.name
    return version, seen


def place(entity):
    """The names from an entity up to the root."""
    names = []
    while entity is not None:
        names.append(entity.name)
        entity = entity.parent
    return names


def labels_of(content, rows):
    web = rows["app-web01"][0]
    names = {field.key: field.name for field in content.customFieldsManager.field}
    noisy = rows["mid-noisy"][0].runtime.question
    return {
        "folder": place(web.parent), "pool": place(web.resourcePool),
        "in folder": [guest.name for guest in web.parent.childEntity],
        "in pool": [guest.name for guest in web.resourcePool.vm],
        "attributes": {names[value.key]: value.value for value in web.customValue},
        "memory": web.summary.config.memorySizeMB,
        "question": [noisy.id, noisy.text] + [
            choice.label for choice in noisy.choice.choiceInfo],
    }


def suspend_work(web, host):
    seen = {"suspend": wait_for(web.SuspendVM_Task())}
    seen["then"] = str(web.runtime.powerState)
    seen["again"] = wait_for(web.SuspendVM_Task())
    seen["description"] = web.SuspendVM_Task().info.descriptionId
    time.sleep(0.3)
    seen["resume"] = wait_for(web.PowerOnVM_Task(host))
    seen["at last"] = str(web.runtime.powerState)
    return seen


def rest_work(port, pem, user, password, web):
    """The status, and the answer where there is one, of each step."""
    context = ssl.create_default_context(cafile=pem)
    connection = http.client.HTTPSConnection("localhost", port, context=context, timeout=20)
    tagging = "/api/cis/tagging/"

    def ask(method, path, session=None, body=None, kind="application/json", **headers):
        if session:
            headers["vmware-api-session-id"] = session
        if body is not None:
            headers["Content-Type"] = kind
            body = body if isinstance(body, str) else json.dumps(body)
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        return answer.status, json.loads(text) if text else None

    def login(secret):
        proof = base64.b64encode(f"{user}:{secret}".encode()).decode()
        return ask("POST", "/api/session", Authorization=f"Basic {proof}")

    seen = {"wrong password": login("wrong")[0], "no login": ask("GET", tagging + "tag/x")[0]}
    status, session = login(password)
    seen["login"] = [status, type(session).__name__]
    attached = tagging + "tag-association?action=list-attached-tags-on-objects"
    objects = {"object_ids": [{"id": web._moId, "type": "VirtualMachine"}]}
    status, found = ask("POST", attached, session, objects)
    seen["object"] = [status, found[0]["object_id"]["id"]]
    seen["tags"] = []
    for identity in found[0]["tag_ids"]:
        tag = ask("GET", tagging + f"tag/{identity}", session)[1]
        category = ask("GET", tagging + f"category/{tag['category_id']}", session)[1]
        seen["tags"].append(f"{category['name']} | {tag['name']}")
    refusals = {
        "unknown member": ask("POST", attached, session, {**objects, "more": 1}),
        "no type": ask("POST", attached, session, {"object_ids": [{"id": web._moId}]}),
        "not JSON": ask("POST", attached, session, "{"),
        "wrong kind": ask("POST", attached, session, objects, kind="text/plain"),
        "wrong action": ask("POST", attached.replace("list", "x"), session, objects),
        "no such tag": ask("GET", tagging + "tag/urn:x", session),
    }
    seen["refusals"] = {
        name: f"{status} {answer['error_type']}" for name, (status, answer) in refusals.items()}
    seen["logout"] = ask("DELETE", "/api/session", session)[0]
    seen["after"] = ask("POST", attached, session, objects)[0]
    return seen


def host_work(content, rows):
    host = rows["esx1.lab"][0]
    seen = {
        "not in maintenance": wait_for(host.ShutdownHost_Task(False))["error"],
        "exit": wait_for(host.ExitMaintenanceMode_Task(0))["error"],
        "guests are on": wait_for(host.EnterMaintenanceMode_Task(1, False))["error"],
    }
    # esx3's vCLS guest goes by itself, the others are cut off.
    content.setting.UpdateOptions([vim.option.OptionValue(
        key="config.vcls.clusters.domain-c8.enabled", value="false")])
    host = rows["esx3.lab"][0]
    guests = [guest for guest in host.vm if not guest.name.startswith("vCLS")]
    entering = host.EnterMaintenanceMode_Task(0, False)
    time.sleep(0.3)
    seen["entering"] = str(entering.info.state)
    for guest in guests:
        wait_for(guest.PowerOffVM_Task())
    seen["enter"] = wait_for(entering)["error"]
    seen["is in maintenance"] = str(host.runtime.inMaintenanceMode)
    seen["power on there"] = wait_for(guests[0].PowerOnVM_Task(host))["error"]
    seen["leave"] = wait_for(host.ExitMaintenanceMode_Task(0))["error"]
    again = host.EnterMaintenanceMode_Task(0, False)
    wait_for(again)
    seen["cancel of an ended one"] = refused(again.CancelTask)
    seen["shutdown"] = wait_for(host.ShutdownHost_Task(False))["error"]
    end = time.monotonic() + TASK_LIMIT_SECONDS
    while host.runtime.connectionState != "notResponding" and time.monotonic() < end:
        time.sleep(0.05)
    seen["then"] = str(host.runtime.connectionState)
    seen["its guests"] = str(guests[0].runtime.connectionState)
    seen["vCLS there"] = refused(lambda: rows["vCLS-4c4c4544-0002"][0].name)
    return seen


def collector_work(content, spec, web):
    """Versions may be repeated once whole, parts only once; a wait may be canceled."""
    collector = content.propertyCollector.CreatePropertyCollector()
    collector.CreateFilter(spec, False)
    part = collector.WaitForUpdatesEx(
        "", vmodl.query.PropertyCollector.WaitOptions(maxObjectUpdates=2))
    seen = {"truncated": [bool(part.truncated), len(part.filterSet[0].objectSet)]}
    following, _, _ = updates(collector, part.version, 1)
    seen["part again"] = refused(lambda: updates(collector, part.version, 0))
    wait_for(web.PowerOffVM_Task())
    first = updates(collector, following, 5)
    second = updates(collector, following, 5)
    seen["replayed"] = [
        any(change["object"] == web._moId for change in answer[1]) for answer in (first, second)]
    seen["negative"] = refused(lambda: updates(collector, second[0], -1))
    canceled = []
    waiter = threading.Thread(target=lambda: canceled.append(
        refused(lambda: [updates(collector, second[0], 20)])))
    waiter.start()
    time.sleep(0.4)
    collector.CancelWaitForUpdates()
    waiter.join(5)
    seen["canceled"] = canceled
    collector.DestroyPropertyCollector()
    return seen


def main(port, pem, user, password):
    seen = {"wrong password": refused(lambda: connect(port, pem, user, "wrong"))}
    service = connect(port, pem, user, password)
    content = service.RetrieveContent()
    seen["api"] = [content.about.apiType, content.about.apiVersion]
    seen["live cookie"] = refused(
        lambda: content.sessionManager.Login(userName=user, password=password))
    seen["session"] = content.sessionManager.currentSession.userName
    seen["walk"] = [
        [entity.name for entity in center.hostFolder.childEntity]
        for center in content.rootFolder.childEntity]
    view = content.viewManager.CreateContainerView(content.rootFolder, list(PATHS), True)
    spec = filter_spec(view)
    objects, seen["pages"], seen["token again"] = retrieve(content, spec, 4)
    seen["server pages"] = retrieve(content, spec, None)[1]
    rows = by_name(objects)
    seen["rows"] = {
        name: {"id": obj._moId, **{key: plain(value) for key, value in values.items()}}
        for name, (obj, values) in rows.items()}
    bad = filter_spec(view)
    bad.propSet[0].pathSet = ["runtime.nonsense"]
    seen["bad path"] = refused(lambda: retrieve(content, bad, None))
    seen["unknown method"] = refused(lambda: rows["app-web01"][0].ResetVM_Task())
    seen["labels"] = labels_of(content, rows)
    seen["suspend"] = suspend_work(rows["app-web01"][0], rows["esx1.lab"][0])
    seen["rest"] = rest_work(port, pem, user, password, rows["app-web01"][0])
    seen["options"] = options_of(content)
    seen["cluster"] = cluster_work(rows["Lab"][0])

    collector = content.propertyCollector.CreatePropertyCollector()
    collector.CreateFilter(spec, False)
    version, found, parts = updates(collector, "", 5)
    seen["enter"] = [len(found), sorted({c["kind"] for c in found}), parts > 1]
    # What the cluster's changes set off comes to rest first; then there is nothing to say.
    for _ in range(10):
        if not updates(collector, version, 2)[1]:
            break
        version = updates(collector, version, 0)[0]
    seen["quiet"] = len(updates(collector, version, 0)[1])
    seen["bad version"] = refused(lambda: updates(collector, "nonsense", 0))
    version, seen["guests"] = guest_work(collector, version, rows)
    collector.DestroyPropertyCollector()
    seen["collector"] = collector_work(content, spec, rows["app-web01"][0])
    seen["hosts"] = host_work(content, rows)
    view.DestroyView()
    seen["view is gone"] = refused(lambda: retrieve(content, spec, None))
    Disconnect(service)
    seen["after logout"] = refused(lambda: rows["app-web01"][0].name)
    json.dump(seen, sys.stdout)


def plain(value):
    """A property as JSON has it."""
    if isinstance(value, (str, bool, int)) and not isinstance(value, vim.VirtualMachine.PowerState):
        return value
    if isinstance(value, VmomiSupport.ManagedObject):
        return value._moId
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, vim.option.OptionValue):
        return f"{value.key}={value.value}"
    if isinstance(value, vim.CustomFieldsManager.StringValue):
        return f"{value.key}={value.value}"
    if isinstance(value, vim.ext.ManagedByInfo):
        return f"{value.extensionKey} {value.type}"
    if isinstance(value, vim.cluster.DasFdmHostState):
        return value.state
    return str(value)[:80]


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:5])
