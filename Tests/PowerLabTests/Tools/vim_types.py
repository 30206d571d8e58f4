"""What pyvmomi knows of vim25 types, as a source that is independent of the lab's own table.

usage: vim_types.py check < table.json     prints a JSON list of differences; [] when none
       vim_types.py requests < bodies.json prints what is wrong with SOAP requests, given as a
                                           JSON object by method; {} when nothing is
       vim_types.py swift                  prints the lab's table, as Swift
"""

import json
import sys
import xml.etree.ElementTree as ElementTree

from pyVmomi import VmomiSupport, vim, vmodl

F_OPTIONAL = VmomiSupport.F_OPTIONAL
NAMESPACE = "urn:vim25"
# Versions up to this one are what every supported vCenter has: no mark in the table.
FLOOR = (6, 7)
SIMPLE = {
    VmomiSupport.GetVmodlType(name): text
    for name, text in {
        "bool": "boolean", "string": "string", "int": "int", "long": "long", "byte": "byte",
        "short": "short", "float": "float", "double": "double",
        "vmodl.DateTime": "dateTime", "vmodl.Binary": "base64Binary",
        "vmodl.PropertyPath": "string", "vmodl.URI": "anyURI", "anyType": "anyType",
        "vmodl.TypeName": "string", "vmodl.MethodName": "string",
    }.items()
}


def type_name(kind, flags=0):
    if flags & VmomiSupport.F_LINK:
        return "string"
    if kind in SIMPLE:
        return SIMPLE[kind]
    if issubclass(kind, VmomiSupport.ManagedObject):
        return "&" + (kind._wsdlName if kind is not VmomiSupport.ManagedObject else "ManagedObject")
    return kind._wsdlName


def since(version):
    text = VmomiSupport.versionIdMap.get(version, "")
    if not version.startswith("vim.") or not text or not text[0].isdigit():
        return None
    numbers = tuple(int(part) for part in text.split(".") if part.isdigit())
    return text if numbers > FLOOR else None


def field(info, owner=""):
    """One field or parameter as the table writes it: `name type[?|*|+] [since]`."""
    kind, many = info.type, ""
    optional = bool(info.flags & F_OPTIONAL)
    if isinstance(kind, type) and issubclass(kind, VmomiSupport.Array):
        kind, many = kind.Item, "*" if optional else "+"
    elif optional:
        many = "?"
    version = since(info.version)
    name = type_name(kind, info.flags)
    if name == "MethodFault" and owner != "LocalizedMethodFault":
        # What pyvmomi calls a fault is, on the wire, a fault with its message around it.
        name = "LocalizedMethodFault"
    return f"{info.name} {name}{many}" + (f" {version}" if version else "")


def described(name):
    kind = VmomiSupport.GetWsdlType(NAMESPACE, name)
    if issubclass(kind, VmomiSupport.Enum):
        return {"values": [str(value) for value in kind.values if str(value) != "unset"]}
    base = kind.__mro__[1]
    own = kind._propInfo if "_propInfo" in kind.__dict__ else {}
    if name == "MethodFault":
        # pyvmomi adds a `msg` of its own, which is not on the wire.
        own = {key: info for key, info in own.items() if key != "msg"}
    base_name = getattr(base, "_wsdlName", None)
    if name in ("DynamicData", "DynamicProperty"):
        base_name = None
    if name == "LocalizedMethodFault":
        # pyvmomi makes it a fault itself, so that it can be raised.
        base_name = "DynamicData"
    return {"base": base_name, "fields": [field(info, name) for info in own_list(kind, own)]}


def own_list(kind, own):
    inherited = {info.name for info in kind.__mro__[1]._GetPropertyList()} if hasattr(
        kind.__mro__[1], "_GetPropertyList") else set()
    return [info for info in kind._GetPropertyList()
            if info.name not in inherited and info.name in own]


def method(owner, wsdl):
    kind = VmomiSupport.GetWsdlType(NAMESPACE, owner)
    for info in kind._GetMethodList():
        if info.wsdlName == wsdl:
            return {"on": owner, "fields": [field(param) for param in info.params]}
    return None


def managed(name):
    kind = VmomiSupport.GetWsdlType(NAMESPACE, name)
    base = kind.__mro__[1]
    return {
        "base": None if base is VmomiSupport.ManagedObject else base._wsdlName,
        "fields": [field(info) for info in kind._propInfo.values()],
    }


def check(table):
    differences = []
    for name, mine in table["objects"].items():
        theirs = described(name)
        if theirs.get("base") != mine["base"] or theirs.get("fields") != mine["fields"]:
            differences.append({"type": name, "lab": mine, "pyvmomi": theirs})
    for name, mine in table["enums"].items():
        theirs = described(name)
        if theirs.get("values") != mine:
            differences.append({"type": name, "lab": mine, "pyvmomi": theirs})
    for name, mine in table["methods"].items():
        if name == "Fetch":  # pyvmomi's own way to read one property; it has no description of it
            continue
        theirs = method(mine["on"], name)
        if theirs != mine:
            differences.append({"method": name, "lab": mine, "pyvmomi": theirs})
    for name, mine in table["managed"].items():
        theirs = managed(name)
        if theirs != mine:
            differences.append({"managed": name, "lab": mine, "pyvmomi": theirs})
    return differences


XSI_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
SOAP = "{http://schemas.xmlsoap.org/soap/envelope/}"


VSAN = "urn:vsan"


def local(element, wanted):
    namespace, _, name = element.tag.rpartition("}")
    if namespace != "{" + wanted:
        raise ValueError(f"{element.tag} is not of {wanted}")
    return name


def check_request(method, body):
    """Compares one request with pyvmomi's types: names, order, how often, and types."""
    call = list(ElementTree.fromstring(body).find(SOAP + "Body"))[0]
    this = list(call)[0]
    # vSAN's calls are in a namespace of their own, whatever they name.
    namespace = VSAN if call.tag.startswith("{" + VSAN) else NAMESPACE
    if local(call, namespace) != method or local(this, namespace) != "_this":
        raise ValueError("is another call, or does not begin with _this")
    kind = VmomiSupport.GetWsdlType(namespace, this.get("type"))
    info = next((one for one in kind._GetMethodList() if one.wsdlName == method), None)
    if info is None:
        raise ValueError(f"{this.get('type')} has no such method")
    check_sequence(list(call)[1:], list(info.params), method, namespace)


def check_sequence(elements, infos, path, namespace):
    place, seen = 0, set()
    for element in elements:
        name = local(element, namespace)
        found = next((i for i in range(place, len(infos)) if infos[i].name == name), None)
        if found is None:
            raise ValueError(f"{path}.{name} is not known, or not in its place")
        kind = infos[found].type
        many = isinstance(kind, type) and issubclass(kind, VmomiSupport.Array)
        if name in seen and not many:
            raise ValueError(f"{path}.{name} is there twice")
        seen.add(name)
        place = found
        check_value(element, kind.Item if many else kind, f"{path}.{name}", namespace)
    for info in infos:
        if info.name not in seen and not info.flags & F_OPTIONAL:
            raise ValueError(f"{path}.{info.name} is missing")


def check_value(element, kind, path, namespace):
    given = element.get(XSI_TYPE)
    if kind is object or kind is VmomiSupport.GetVmodlType("anyType"):
        if given is None:
            raise ValueError(f"{path} does not say its type")
        prefix, _, name = given.rpartition(":")
        kind = VmomiSupport.GetWsdlType(XSD if prefix == "xsd" else NAMESPACE, name)
    elif given is not None:
        actual = VmomiSupport.GetWsdlType(NAMESPACE, given)
        if not issubclass(actual, kind):
            raise ValueError(f"{path} is a {given}, not a {kind.__name__}")
        kind = actual
    if issubclass(kind, VmomiSupport.ManagedObject):
        if not issubclass(VmomiSupport.GetWsdlType(NAMESPACE, element.get("type")), kind):
            raise ValueError(f"{path} refers to a {element.get('type')}")
    elif issubclass(kind, VmomiSupport.DataObject):
        check_sequence(list(element), kind._GetPropertyList(), path, namespace)
    elif issubclass(kind, VmomiSupport.Enum):
        if element.text not in kind.values:
            raise ValueError(f"{path} is {element.text}, not one of {kind.values}")
    elif list(element):
        raise ValueError(f"{path} has elements inside")
    elif issubclass(kind, bool) and element.text not in ("true", "false"):
        raise ValueError(f"{path} is {element.text}, not true or false")
    elif issubclass(kind, int) and not issubclass(kind, bool):
        int(element.text)


XSD = "http://www.w3.org/2001/XMLSchema"


def check_requests(bodies):
    wrong = {}
    for name, body in bodies.items():
        try:
            check_request(name, body)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            wrong[name] = f"{type(error).__name__}: {error}"
    return wrong


OBJECTS = """PropertyFilterSpec PropertySpec ObjectSpec SelectionSpec TraversalSpec RetrieveOptions
WaitOptions ComputeResourceConfigSpec ClusterConfigSpecEx ClusterDasConfigInfo ClusterDrsConfigInfo
ClusterDpmConfigInfo ClusterSystemVMsConfigSpec VsanClusterConfigInfo OptionValue HostMaintenanceSpec
VsanHostDecommissionMode
ServiceContent AboutInfo UserSession RetrieveResult ObjectContent DynamicProperty MissingProperty
LocalizedMethodFault UpdateSet PropertyFilterUpdate ObjectUpdate PropertyChange MissingObject
TaskInfo TaskReason TaskReasonUser ComputeResourceConfigInfo ClusterConfigInfoEx ManagedByInfo
ClusterDasFdmHostState VirtualMachineConfigInfo VirtualMachineFileInfo VirtualMachineRuntimeInfo
VirtualMachineQuestionInfo GuestInfo VirtualMachineSummary VirtualMachineConfigSummary
HostRuntimeInfo HostHardwareInfo HostSystemInfo HostListSummary HostConfigInfo HostCapability
NotAuthenticated NoPermission SecurityError RuntimeFault VimFault InvalidLogin InvalidProperty
InvalidName InvalidArgument InvalidRequest InvalidType MethodNotFound ManagedObjectNotFound
InvalidCollectorVersion RequestCanceled InvalidPowerState InvalidState ToolsUnavailable NotSupported
Timedout TaskInProgress HostNotConnected HostCommunication SystemError InvalidLocale MethodFault
DynamicData HostNotReachable NotFound ClusterSystemVMsConfigInfo ChoiceOption OptionType
ElementDescription Description CustomFieldValue CustomFieldStringValue CustomFieldDef
RestrictedVersion AlreadyExists FileFault FileLocked HostAutoStartManagerConfig AutoStartDefaults
AutoStartPowerInfo HostServiceInfo HostService HostServiceSourcePackage
HostConfigManager""".split()
ENUMS = """DrsBehavior DpmBehavior TaskInfoState VirtualMachinePowerState
VirtualMachineConnectionState HostSystemConnectionState HostSystemPowerState ObjectUpdateKind
PropertyChangeOp AutoStartWaitHeartbeatSetting""".split()
METHODS = [pair.split(".") for pair in """ServiceInstance.RetrieveServiceContent
ServiceInstance.CurrentTime SessionManager.Login SessionManager.Logout
ViewManager.CreateContainerView View.DestroyView PropertyCollector.CreatePropertyCollector
PropertyCollector.DestroyPropertyCollector PropertyCollector.CreateFilter
PropertyFilter.DestroyPropertyFilter PropertyCollector.RetrievePropertiesEx
PropertyCollector.ContinueRetrievePropertiesEx PropertyCollector.CancelRetrievePropertiesEx
PropertyCollector.WaitForUpdatesEx PropertyCollector.CancelWaitForUpdates
ComputeResource.ReconfigureComputeResource_Task OptionManager.QueryOptions
OptionManager.UpdateOptions VirtualMachine.ShutdownGuest VirtualMachine.PowerOffVM_Task
VirtualMachine.PowerOnVM_Task VirtualMachine.SuspendVM_Task HostSystem.EnterMaintenanceMode_Task
HostSystem.ExitMaintenanceMode_Task HostSystem.ShutdownHost_Task Task.CancelTask
Folder.RegisterVM_Task HostAutoStartManager.ReconfigureAutostart
HostServiceSystem.StartService HostServiceSystem.StopService
HostServiceSystem.RefreshServices""".split()]
MANAGED = """ServiceInstance SessionManager ViewManager View ManagedObjectView ContainerView
PropertyCollector PropertyFilter OptionManager ExtensibleManagedObject ManagedEntity Folder
Datacenter ComputeResource ClusterComputeResource HostSystem VirtualMachine ResourcePool VirtualApp CustomFieldsManager
Task HostAutoStartManager HostServiceSystem""".split()


def swift_list(fields):
    return "[" + ", ".join(f'"{text}"' for text in fields) + "]"


def swift():
    for name in OBJECTS:
        what = described(name)
        base = f'"{what["base"]}"' if what["base"] else "nil"
        print(f'.init("{name}", base: {base}, {swift_list(what["fields"])}),')
    print("// enums")
    for name in ENUMS:
        print(f'"{name}": {swift_list(described(name)["values"])},')
    print("// methods")
    for owner, wsdl in METHODS:
        print(f'.init("{wsdl}", on: "{owner}", {swift_list(method(owner, wsdl)["fields"])}),')
    print("// managed")
    for name in MANAGED:
        what = managed(name)
        base = f'"{what["base"]}"' if what["base"] else "nil"
        print(f'.init("{name}", base: {base}, {swift_list(what["fields"])}),')


if __name__ == "__main__":
    if sys.argv[1:] == ["check"]:
        json.dump(check(json.load(sys.stdin)), sys.stdout)
    elif sys.argv[1:] == ["requests"]:
        json.dump(check_requests(json.load(sys.stdin)), sys.stdout)
    elif sys.argv[1:] == ["swift"]:
        swift()
    else:
        sys.exit(__doc__)
