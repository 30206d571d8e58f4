extension VimTable {
    /// vim25 as the lab's vCenter speaks it: orders, optionality and first versions are those of
    /// pyvmomi 9.1.1.0 (Tests/PowerLabTests/Tools/vim_types.py writes and compares it). A type that
    /// is named but not declared is one the lab does not serve; a request that uses it is refused.
    static let vim25 = VimTable(
        objects: objectTypes, enumerations: enumerationValues, methods: methodList,
        managed: managedTypes)

    /// vSAN's calls for a cluster's power, in a namespace of their own, and what of vim25 they
    /// name.
    static let vsan = VimTable(
        objects: objectTypes + [
            .init(
                "PerformClusterPowerActionSpec", base: "DynamicData",
                [
                    "targetPowerStatus string", "isOrchestration boolean?",
                    "initialPowerStatus string?", "powerOffReason string?",
                    "infraVMs &VirtualMachine*", "infraVMUuids string*",
                ]),
            .init(
                "ClusterPowerContext", base: "DynamicData",
                [
                    "currentClusterPowerStatus string", "orderedClusterPowerStatus string*",
                    "trackingTask &Task?", "lastErrorMessage LocalizableMessage?",
                    "lastErrorMOs &ManagedObject*",
                ]),
        ], enumerations: enumerationValues,
        methods: [
            .init(
                "PerformClusterPowerAction", on: "VsanClusterPowerSystem",
                ["cluster &ComputeResource", "spec PerformClusterPowerActionSpec"]),
            .init(
                "QueryClusterPowerContext", on: "VsanClusterPowerSystem",
                ["cluster &ComputeResource"]),
        ], managed: managedTypes + [.init("VsanClusterPowerSystem", base: nil, [])])

    private static let objectTypes: [VimObjectType] = [
        .init(
            "VsanClusterConfigInfo", base: "DynamicData",
            [
                "enabled boolean?", "defaultConfig VsanClusterConfigInfoHostDefaultInfo?",
                "vsanEsaEnabled boolean? 8.0.0.1", "vsanCyberRecoveryEnabled boolean? 9.1.0.0",
            ]),
        .init(
            "PropertyFilterSpec", base: "DynamicData",
            [
                "propSet PropertySpec+", "objectSet ObjectSpec+",
                "reportMissingObjectsInResults boolean?",
            ]),
        .init(
            "PropertySpec", base: "DynamicData",
            ["type string", "all boolean?", "pathSet string*"]),
        .init(
            "ObjectSpec", base: "DynamicData",
            ["obj &ManagedObject", "skip boolean?", "selectSet SelectionSpec*"]),
        .init("SelectionSpec", base: "DynamicData", ["name string?"]),
        .init(
            "TraversalSpec", base: "SelectionSpec",
            ["type string", "path string", "skip boolean?", "selectSet SelectionSpec*"]),
        .init("RetrieveOptions", base: "DynamicData", ["maxObjects int?"]),
        .init(
            "WaitOptions", base: "DynamicData", ["maxWaitSeconds int?", "maxObjectUpdates int?"]),
        .init(
            "ComputeResourceConfigSpec", base: "DynamicData",
            [
                "vmSwapPlacement string?", "spbmEnabled boolean?",
                "defaultHardwareVersionKey string?",
                "desiredSoftwareSpec DesiredSoftwareSpec? 7.0.0.0",
                "maximumHardwareVersionKey string? 7.0.2.0", "enableConfigManager boolean? 7.0.3.1",
                "hostSeedSpec ComputeResourceHostSeedSpec? 8.0.3.0",
                "softwareSpecId string? 9.0.0.0", "networkBootMode string? 9.0.0.0",
            ]),
        .init(
            "ClusterConfigSpecEx", base: "ComputeResourceConfigSpec",
            [
                "systemVMsConfig ClusterSystemVMsConfigSpec? 7.0.3.0",
                "dasConfig ClusterDasConfigInfo?", "dasVmConfigSpec ClusterDasVmConfigSpec*",
                "drsConfig ClusterDrsConfigInfo?", "drsVmConfigSpec ClusterDrsVmConfigSpec*",
                "rulesSpec ClusterRuleSpec*", "orchestration ClusterOrchestrationInfo?",
                "vmOrchestrationSpec ClusterVmOrchestrationSpec*",
                "dpmConfig ClusterDpmConfigInfo?", "dpmHostConfigSpec ClusterDpmHostConfigSpec*",
                "vsanConfig VsanClusterConfigInfo?", "vsanHostConfigSpec VsanHostConfigInfo*",
                "groupSpec ClusterGroupSpec*",
                "infraUpdateHaConfig ClusterInfraUpdateHaConfigInfo?",
                "proactiveDrsConfig ClusterProactiveDrsConfigInfo?", "inHciWorkflow boolean? 6.7.1",
                "cryptoConfig ClusterCryptoConfigInfo? 7.0.0.0",
                "vsanCoreConfigSpec VsanClusterCoreConfigSpec? 9.0.0.0",
            ]),
        .init(
            "ClusterDasConfigInfo", base: "DynamicData",
            [
                "enabled boolean?", "vmMonitoring string?", "hostMonitoring string?",
                "vmComponentProtecting string?", "failoverLevel int?",
                "admissionControlPolicy ClusterDasAdmissionControlPolicy?",
                "admissionControlEnabled boolean?", "defaultVmSettings ClusterDasVmSettings?",
                "option OptionValue*", "heartbeatDatastore &Datastore*",
                "hBDatastoreCandidatePolicy string?",
            ]),
        .init(
            "ClusterDrsConfigInfo", base: "DynamicData",
            [
                "enabled boolean?", "enableVmBehaviorOverrides boolean?",
                "defaultVmBehavior DrsBehavior?", "vmotionRate int?",
                "scaleDescendantsShares string? 7.0.0.0", "option OptionValue*",
            ]),
        .init(
            "ClusterDpmConfigInfo", base: "DynamicData",
            [
                "enabled boolean?", "defaultDpmBehavior DpmBehavior?", "hostPowerActionRate int?",
                "option OptionValue*",
            ]),
        .init(
            "ClusterSystemVMsConfigSpec", base: "DynamicData",
            [
                "allowedDatastores ClusterDatastoreUpdateSpec* 7.0.3.0",
                "notAllowedDatastores ClusterDatastoreUpdateSpec* 7.0.3.0",
                "dsTagCategoriesToExclude ClusterTagCategoryUpdateSpec* 7.0.3.0",
                "deploymentMode string? 8.0.2.0",
            ]),
        .init("OptionValue", base: "DynamicData", ["key string", "value anyType?"]),
        .init(
            "HostMaintenanceSpec", base: "DynamicData",
            [
                "vsanMode VsanHostDecommissionMode?", "purpose string? 7.0.0.0",
                "evacMode HostMaintenanceSpecEvacuationMode? 9.1.0.0",
            ]),
        .init("VsanHostDecommissionMode", base: "DynamicData", ["objectAction string"]),
        .init(
            "PrivilegeAvailability", base: "DynamicData", ["privId string", "isGranted boolean"]),
        .init(
            "EntityPrivilege", base: "DynamicData",
            ["entity &ManagedEntity", "privAvailability PrivilegeAvailability+"]),
        .init(
            "ServiceContent", base: "DynamicData",
            [
                "rootFolder &Folder", "propertyCollector &PropertyCollector",
                "viewManager &ViewManager?", "about AboutInfo", "setting &OptionManager?",
                "userDirectory &UserDirectory?", "sessionManager &SessionManager?",
                "authorizationManager &AuthorizationManager?", "serviceManager &ServiceManager?",
                "perfManager &PerformanceManager?", "scheduledTaskManager &ScheduledTaskManager?",
                "alarmManager &AlarmManager?", "eventManager &EventManager?",
                "taskManager &TaskManager?", "extensionManager &ExtensionManager?",
                "customizationSpecManager &CustomizationSpecManager?",
                "guestCustomizationManager &VirtualMachineGuestCustomizationManager? 6.8.7",
                "customFieldsManager &CustomFieldsManager?",
                "accountManager &HostLocalAccountManager?", "diagnosticManager &DiagnosticManager?",
                "licenseManager &LicenseManager?", "searchIndex &SearchIndex?",
                "fileManager &FileManager?",
                "datastoreNamespaceManager &DatastoreNamespaceManager?",
                "virtualDiskManager &VirtualDiskManager?",
                "virtualizationManager &VirtualizationManager?", "snmpSystem &HostSnmpSystem?",
                "vmProvisioningChecker &VirtualMachineProvisioningChecker?",
                "vmCompatibilityChecker &VirtualMachineCompatibilityChecker?",
                "ovfManager &OvfManager?", "ipPoolManager &IpPoolManager?",
                "dvSwitchManager &DistributedVirtualSwitchManager?",
                "hostProfileManager &HostProfileManager?",
                "clusterProfileManager &ClusterProfileManager?",
                "complianceManager &ProfileComplianceManager?",
                "localizationManager &LocalizationManager?",
                "storageResourceManager &StorageResourceManager?",
                "guestOperationsManager &GuestOperationsManager?",
                "overheadMemoryManager &OverheadMemoryManager?",
                "certificateManager &CertificateManager?", "ioFilterManager &IoFilterManager?",
                "vStorageObjectManager &VStorageObjectManagerBase?",
                "hostSpecManager &HostSpecificationManager?", "cryptoManager &CryptoManager?",
                "healthUpdateManager &HealthUpdateManager?",
                "failoverClusterConfigurator &FailoverClusterConfigurator?",
                "failoverClusterManager &FailoverClusterManager?",
                "tenantManager &TenantTenantManager? 6.9.1",
                "siteInfoManager &SiteInfoManager? 7.0.0.0",
                "storageQueryManager &StorageQueryManager? 6.7.2",
                "directPathProfileManager &DirectPathProfileManager? 9.0.0.0",
            ]),
        .init(
            "AboutInfo", base: "DynamicData",
            [
                "name string", "fullName string", "vendor string", "version string",
                "patchLevel string? 7.0.2.0", "build string", "localeVersion string?",
                "localeBuild string?", "osType string", "productLineId string", "apiType string",
                "apiVersion string", "instanceUuid string?", "licenseProductName string?",
                "licenseProductVersion string?",
            ]),
        .init(
            "UserSession", base: "DynamicData",
            [
                "key string", "userName string", "fullName string", "loginTime dateTime",
                "lastActiveTime dateTime", "locale string", "messageLocale string",
                "extensionSession boolean", "ipAddress string", "userAgent string",
                "callCount long",
            ]),
        .init("RetrieveResult", base: "DynamicData", ["token string?", "objects ObjectContent+"]),
        .init(
            "ObjectContent", base: "DynamicData",
            ["obj &ManagedObject", "propSet DynamicProperty*", "missingSet MissingProperty*"]),
        .init("DynamicProperty", base: nil, ["name string", "val anyType"]),
        .init(
            "MissingProperty", base: "DynamicData", ["path string", "fault LocalizedMethodFault"]),
        .init(
            "LocalizedMethodFault", base: "DynamicData",
            ["fault MethodFault", "localizedMessage string?"]),
        .init(
            "UpdateSet", base: "DynamicData",
            ["version string", "filterSet PropertyFilterUpdate*", "truncated boolean?"]),
        .init(
            "PropertyFilterUpdate", base: "DynamicData",
            ["filter &PropertyFilter", "objectSet ObjectUpdate*", "missingSet MissingObject*"]),
        .init(
            "ObjectUpdate", base: "DynamicData",
            [
                "kind ObjectUpdateKind", "obj &ManagedObject", "changeSet PropertyChange*",
                "missingSet MissingProperty*",
            ]),
        .init(
            "PropertyChange", base: "DynamicData",
            ["name string", "op PropertyChangeOp", "val anyType?"]),
        .init(
            "MissingObject", base: "DynamicData",
            ["obj &ManagedObject", "fault LocalizedMethodFault"]),
        .init(
            "TaskInfo", base: "DynamicData",
            [
                "key string", "task &Task", "description LocalizableMessage?", "name string?",
                "descriptionId string", "entity &ManagedEntity?", "entityName string?",
                "locked &ManagedEntity*", "state TaskInfoState", "cancelled boolean",
                "cancelable boolean", "error LocalizedMethodFault?", "result anyType?",
                "progress int?", "progressDetails KeyAnyValue* 8.0.1.0", "reason TaskReason",
                "queueTime dateTime", "startTime dateTime?", "completeTime dateTime?",
                "eventChainId int", "changeTag string?", "parentTaskKey string?",
                "rootTaskKey string?", "activationId string?",
            ]),
        .init("TaskReason", base: "DynamicData", []),
        .init("TaskReasonUser", base: "TaskReason", ["userName string"]),
        .init(
            "ComputeResourceConfigInfo", base: "DynamicData",
            [
                "vmSwapPlacement string", "spbmEnabled boolean?",
                "defaultHardwareVersionKey string?", "maximumHardwareVersionKey string? 7.0.2.0",
            ]),
        .init(
            "ClusterConfigInfoEx", base: "ComputeResourceConfigInfo",
            [
                "systemVMsConfig ClusterSystemVMsConfigInfo? 7.0.3.0",
                "dasConfig ClusterDasConfigInfo", "dasVmConfig ClusterDasVmConfigInfo*",
                "drsConfig ClusterDrsConfigInfo", "drsVmConfig ClusterDrsVmConfigInfo*",
                "rule ClusterRuleInfo*", "orchestration ClusterOrchestrationInfo?",
                "vmOrchestration ClusterVmOrchestrationInfo*",
                "dpmConfigInfo ClusterDpmConfigInfo?", "dpmHostConfig ClusterDpmHostConfigInfo*",
                "vsanConfigInfo VsanClusterConfigInfo?", "vsanHostConfig VsanHostConfigInfo*",
                "group ClusterGroupInfo*", "infraUpdateHaConfig ClusterInfraUpdateHaConfigInfo?",
                "proactiveDrsConfig ClusterProactiveDrsConfigInfo?",
                "cryptoConfig ClusterCryptoConfigInfo? 7.0.0.0",
                "vsanCoreConfig VsanClusterCoreConfig? 9.0.0.0",
            ]),
        .init(
            "ClusterDrsVmConfigInfo", base: "DynamicData",
            ["key &VirtualMachine", "enabled boolean?", "behavior DrsBehavior?"]),
        .init(
            "ComputeResourceSummary", base: "DynamicData",
            [
                "totalCpu int", "totalMemory long", "numCpuCores short", "numCpuThreads short",
                "effectiveCpu int", "effectiveMemory long", "numHosts int", "numEffectiveHosts int",
                "overallStatus ManagedEntityStatus",
            ]),
        .init(
            "ClusterComputeResourceSummary", base: "ComputeResourceSummary",
            [
                "currentFailoverLevel int", "admissionControlInfo ClusterDasAdmissionControlInfo?",
                "numVmotions int", "targetBalance int?", "currentBalance int?",
                "drsScore int? 7.0.0.0", "numVmsPerDrsScoreBucket int* 7.0.0.0",
                "usageSummary ClusterUsageSummary?", "currentEVCModeKey string?",
                "currentEVCGraphicsModeKey string? 7.0.1.0", "dasData ClusterDasData?",
                "clusterMaintenanceModeStatus string? 7.0.0.2", "vcsHealthStatus string? 7.0.1.1",
                "vcsSlots ClusterComputeResourceVcsSlots* 7.0.1.1",
            ]),
        .init("ManagedByInfo", base: "DynamicData", ["extensionKey string", "type string"]),
        .init(
            "ClusterDasFdmHostState", base: "DynamicData",
            ["state string", "stateReporter &HostSystem?"]),
        .init(
            "VirtualMachineConfigInfo", base: "DynamicData",
            [
                "changeVersion string", "modified dateTime", "name string", "guestFullName string",
                "version string", "uuid string", "createDate dateTime?", "instanceUuid string?",
                "npivNodeWorldWideName long*", "npivPortWorldWideName long*",
                "npivWorldWideNameType string?", "npivDesiredNodeWwns short?",
                "npivDesiredPortWwns short?", "npivTemporaryDisabled boolean?",
                "npivOnNonRdmDisks boolean?", "locationId string?", "template boolean",
                "guestId string", "alternateGuestName string", "annotation string?",
                "files VirtualMachineFileInfo", "tools ToolsConfigInfo?",
                "flags VirtualMachineFlagInfo",
                "consolePreferences VirtualMachineConsolePreferences?",
                "defaultPowerOps VirtualMachineDefaultPowerOpInfo",
                "rebootPowerOff boolean? 8.0.0.1", "hardware VirtualHardware",
                "vcpuConfig VirtualMachineVcpuConfig* 7.0.0.0",
                "cpuAllocation ResourceAllocationInfo?", "memoryAllocation ResourceAllocationInfo?",
                "latencySensitivity LatencySensitivity?", "memoryHotAddEnabled boolean?",
                "cpuHotAddEnabled boolean?", "cpuHotRemoveEnabled boolean?",
                "hotPlugMemoryLimit long?", "hotPlugMemoryIncrementSize long?",
                "cpuAffinity VirtualMachineAffinityInfo?",
                "memoryAffinity VirtualMachineAffinityInfo?",
                "networkShaper VirtualMachineNetworkShaperInfo?", "extraConfig OptionValue*",
                "cpuFeatureMask HostCpuIdInfo*",
                "datastoreUrl VirtualMachineConfigInfoDatastoreUrlPair*", "swapPlacement string?",
                "bootOptions VirtualMachineBootOptions?", "ftInfo FaultToleranceConfigInfo?",
                "repConfig ReplicationConfigSpec?", "vAppConfig VmConfigInfo?",
                "vAssertsEnabled boolean?", "changeTrackingEnabled boolean?", "firmware string?",
                "maxMksConnections int?", "guestAutoLockEnabled boolean?",
                "managedBy ManagedByInfo?", "memoryReservationLockedToMax boolean?",
                "initialOverhead VirtualMachineConfigInfoOverheadInfo?", "nestedHVEnabled boolean?",
                "vPMCEnabled boolean?",
                "scheduledHardwareUpgradeInfo ScheduledHardwareUpgradeInfo?",
                "forkConfigInfo VirtualMachineForkConfigInfo?", "vFlashCacheReservation long?",
                "vmxConfigChecksum base64Binary?", "messageBusTunnelEnabled boolean?",
                "vmStorageObjectId string?", "swapStorageObjectId string?", "keyId CryptoKeyId?",
                "guestIntegrityInfo VirtualMachineGuestIntegrityInfo?", "migrateEncryption string?",
                "sgxInfo VirtualMachineSgxInfo? 7.0.0.0",
                "contentLibItemInfo VirtualMachineContentLibraryItemInfo? 7.0.0.0",
                "ftEncryptionMode string? 7.0.2.0",
                "guestMonitoringModeInfo VirtualMachineGuestMonitoringModeInfo? 7.0.0.0",
                "sevEnabled boolean? 7.0.1.0", "numaInfo VirtualMachineVirtualNumaInfo? 8.0.0.1",
                "pmemFailoverEnabled boolean? 7.0.2.0",
                "vmxStatsCollectionEnabled boolean? 7.0.3.1",
                "vmOpNotificationToAppEnabled boolean? 7.0.3.0",
                "vmOpNotificationTimeout long? 8.0.0.1",
                "deviceSwap VirtualMachineVirtualDeviceSwap? 8.0.0.1",
                "pmem VirtualMachineVirtualPMem? 7.0.3.0",
                "deviceGroups VirtualMachineVirtualDeviceGroups? 8.0.0.1",
                "fixedPassthruHotPlugEnabled boolean? 8.0.1.0", "metroFtEnabled boolean? 8.0.3.0",
                "vmxRuntimeConfig OptionValue* 9.0.0.0", "metroFtHostGroup string? 8.0.3.0",
                "tdxEnabled boolean? 9.0.0.0", "sevSnpEnabled boolean? 9.0.0.0",
                "guestArchitecture string? 9.1.0.0",
            ]),
        .init(
            "VirtualMachineFileInfo", base: "DynamicData",
            [
                "vmPathName string?", "snapshotDirectory string?", "suspendDirectory string?",
                "logDirectory string?", "ftMetadataDirectory string?",
            ]),
        .init(
            "VirtualMachineRuntimeInfo", base: "DynamicData",
            [
                "device VirtualMachineDeviceRuntimeInfo*", "host &HostSystem?",
                "connectionState VirtualMachineConnectionState",
                "powerState VirtualMachinePowerState", "vmFailoverInProgress boolean? 7.0.2.0",
                "faultToleranceState VirtualMachineFaultToleranceState",
                "dasVmProtection VirtualMachineRuntimeInfoDasProtectionState?",
                "toolsInstallerMounted boolean", "suspendTime dateTime?", "bootTime dateTime?",
                "suspendInterval long?", "question VirtualMachineQuestionInfo?",
                "memoryOverhead long?", "maxCpuUsage int?", "maxMemoryUsage int?",
                "numMksConnections int", "recordReplayState VirtualMachineRecordReplayState",
                "cleanPowerOff boolean?", "needSecondaryReason string?", "onlineStandby boolean",
                "minRequiredEVCModeKey string?", "consolidationNeeded boolean",
                "offlineFeatureRequirement VirtualMachineFeatureRequirement*",
                "featureRequirement VirtualMachineFeatureRequirement*",
                "featureMask HostFeatureMask*", "vFlashCacheAllocation long?", "paused boolean?",
                "snapshotInBackground boolean?", "quiescedForkParent boolean?",
                "instantCloneFrozen boolean?", "cryptoState string?",
                "suspendedToMemory boolean? 7.0.2.0", "opNotificationTimeout long? 8.0.0.1",
                "iommuActive boolean? 8.0.1.0", "consolidateWorkTotal long? 9.1.0.0",
                "consolidateWorkDone long? 9.1.0.0", "diskChainBroken boolean? 9.1.0.0",
            ]),
        .init(
            "VirtualMachineQuestionInfo", base: "DynamicData",
            ["id string", "text string", "choice ChoiceOption", "message VirtualMachineMessage*"]),
        .init(
            "VirtualMachineMessage", base: "DynamicData",
            ["id string", "argument anyType*", "text string?"]),
        .init(
            "KmipClusterInfo", base: "DynamicData",
            [
                "clusterId KeyProviderId", "servers KmipServerInfo*", "useAsDefault boolean",
                "managementType string? 7.0.0.0", "useAsEntityDefault &ManagedEntity* 7.0.0.0",
                "hasBackup boolean? 7.0.2.0", "tpmRequired boolean? 7.0.2.0",
                "keyId string? 7.0.2.0", "defaultKeyType string? 9.0.0.0",
                "keyInfo KmipClusterInfoKeyInfo? 9.0.0.0",
            ]),
        .init("KeyProviderId", base: "DynamicData", ["id string"]),
        .init("CryptoKeyId", base: "DynamicData", ["keyId string", "providerId KeyProviderId?"]),
        .init(
            "ClusterPowerOnVmResult", base: "DynamicData",
            [
                "attempted ClusterAttemptedVmInfo*", "notAttempted ClusterNotAttemptedVmInfo*",
                "recommendations ClusterRecommendation*",
            ]),
        .init(
            "ClusterAttemptedVmInfo", base: "DynamicData", ["vm &VirtualMachine", "task &Task?"]),
        .init(
            "ClusterNotAttemptedVmInfo", base: "DynamicData",
            ["vm &VirtualMachine", "fault LocalizedMethodFault"]),
        .init(
            "ClusterRecommendation", base: "DynamicData",
            [
                "key string", "type string", "time dateTime", "rating int", "reason string",
                "reasonText string", "warningText string?", "warningDetails LocalizableMessage?",
                "prerequisite string*", "action ClusterAction*", "target &ManagedObject?",
            ]),
        .init("ClusterAction", base: "DynamicData", ["type string", "target &ManagedObject?"]),
        .init(
            "ClusterInitialPlacementAction", base: "ClusterAction",
            ["targetHost &HostSystem", "pool &ResourcePool?"]),
        .init(
            "ChoiceOption", base: "OptionType",
            ["choiceInfo ElementDescription+", "defaultIndex int?"]),
        .init("OptionType", base: "DynamicData", ["valueIsReadonly boolean?"]),
        .init("ElementDescription", base: "Description", ["key string"]),
        .init("Description", base: "DynamicData", ["label string", "summary string"]),
        .init("CustomFieldValue", base: "DynamicData", ["key int"]),
        .init("CustomFieldStringValue", base: "CustomFieldValue", ["value string"]),
        .init(
            "CustomFieldDef", base: "DynamicData",
            [
                "key int", "name string", "type string", "managedObjectType string?",
                "fieldDefPrivileges PrivilegePolicyDef?",
                "fieldInstancePrivileges PrivilegePolicyDef?",
            ]),
        .init(
            "GuestInfo", base: "DynamicData",
            [
                "toolsStatus VirtualMachineToolsStatus?", "toolsVersionStatus string?",
                "toolsVersionStatus2 string?", "toolsRunningStatus string?", "toolsVersion string?",
                "toolsInstallType string?", "guestId string?", "guestFamily string?",
                "guestFullName string?",
                "guestRebootStatus VirtualMachineGuestRebootStatus? 9.1.0.0",
                "guestDetailedData string? 8.0.2.0", "hostName string?", "ipAddress string?",
                "net GuestNicInfo*", "ipStack GuestStackInfo*", "disk GuestDiskInfo*",
                "screen GuestScreenInfo?", "guestState string", "appHeartbeatStatus string?",
                "guestKernelCrashed boolean?", "appState string?", "guestOperationsReady boolean?",
                "interactiveGuestOperationsReady boolean?", "guestStateChangeSupported boolean?",
                "generationInfo GuestInfoNamespaceGenerationInfo*", "hwVersion string? 6.9.1",
                "customizationInfo GuestInfoCustomizationInfo? 7.0.2.0",
            ]),
        .init(
            "VirtualMachineSummary", base: "DynamicData",
            [
                "vm &VirtualMachine?", "runtime VirtualMachineRuntimeInfo",
                "guest VirtualMachineGuestSummary?", "config VirtualMachineConfigSummary",
                "storage VirtualMachineStorageSummary?", "quickStats VirtualMachineQuickStats",
                "overallStatus ManagedEntityStatus", "customValue CustomFieldValue*",
            ]),
        .init(
            "VirtualMachineConfigSummary", base: "DynamicData",
            [
                "name string", "template boolean", "vmPathName string", "memorySizeMB int?",
                "cpuReservation int?", "memoryReservation int?", "numCpu int?",
                "numEthernetCards int?", "numVirtualDisks int?", "uuid string?",
                "instanceUuid string?", "guestId string?", "guestFullName string?",
                "annotation string?", "product VAppProductInfo?", "installBootRequired boolean?",
                "ftInfo FaultToleranceConfigInfo?", "managedBy ManagedByInfo?",
                "tpmPresent boolean?", "numVmiopBackings int?", "hwVersion string? 6.9.1",
            ]),
        .init(
            "HostRuntimeInfo", base: "DynamicData",
            [
                "connectionState HostSystemConnectionState", "powerState HostSystemPowerState",
                "standbyMode string?", "inMaintenanceMode boolean", "inQuarantineMode boolean?",
                "bootTime dateTime?", "healthSystemRuntime HealthSystemRuntime?",
                "dasHostState ClusterDasFdmHostState?", "tpmPcrValues HostTpmDigestInfo*",
                "vsanRuntimeInfo VsanHostRuntimeInfo?",
                "networkRuntimeInfo HostRuntimeInfoNetworkRuntimeInfo?",
                "vFlashResourceRuntimeInfo HostVFlashManagerVFlashResourceRunTimeInfo?",
                "hostMaxVirtualDiskCapacity long?", "cryptoState string?",
                "cryptoKeyId CryptoKeyId?", "statelessNvdsMigrationReady string? 7.0.2.0",
                "partialMaintenanceMode HostPartialMaintenanceModeRuntimeInfo* 8.0.3.0",
                "stateEncryption HostRuntimeInfoStateEncryptionInfo? 7.0.3.0",
                "podVMInfo PodVMInfo? 9.1.0.0",
            ]),
        .init(
            "HostHardwareInfo", base: "DynamicData",
            [
                "systemInfo HostSystemInfo", "cpuPowerManagementInfo HostCpuPowerManagementInfo?",
                "cpuInfo HostCpuInfo", "cpuPkg HostCpuPackage+", "memorySize long",
                "numaInfo HostNumaInfo?", "smcPresent boolean", "pciDevice HostPciDevice*",
                "dvxClasses HostDvxClass* 8.0.0.1", "cpuFeature HostCpuIdInfo*",
                "biosInfo HostBIOSInfo?", "reliableMemoryInfo HostReliableMemoryInfo?",
                "persistentMemoryInfo HostPersistentMemoryInfo?", "sgxInfo HostSgxInfo? 7.0.0.0",
                "sevInfo HostSevInfo? 7.0.1.0", "memoryTieringType string? 7.0.3.0",
                "memoryTierInfo HostMemoryTierInfo* 7.0.3.0", "tdxInfo HostTdxInfo? 9.0.0.0",
            ]),
        .init(
            "HostSystemInfo", base: "DynamicData",
            [
                "vendor string", "model string", "family string? 9.0.0.0", "uuid string",
                "otherIdentifyingInfo HostSystemIdentificationInfo*", "serialNumber string?",
                "qualifiedName HostQualifiedName* 7.0.3.0",
                "vvolHostNQN HostQualifiedName? 8.0.0.0", "vvolHostId string? 8.0.0.0",
                "bootCommandLine string? 8.0.3.0",
            ]),
        .init(
            "HostListSummary", base: "DynamicData",
            [
                "host &HostSystem?", "hardware HostHardwareSummary?", "runtime HostRuntimeInfo?",
                "config HostConfigSummary", "quickStats HostListSummaryQuickStats",
                "overallStatus ManagedEntityStatus", "rebootRequired boolean",
                "rebootRequiredReason LocalizableMessage* 9.1.0.0",
                "maintenanceModeRequired boolean? 9.1.0.0", "customValue CustomFieldValue*",
                "managementServerIp string?", "maxEVCModeKey string?", "currentEVCModeKey string?",
                "currentEVCGraphicsModeKey string? 7.0.1.0",
                "gateway HostListSummaryGatewaySummary?", "tpmAttestation HostTpmAttestationInfo?",
                "trustAuthorityAttestationInfos HostTrustAuthorityAttestationInfo* 7.0.1.0",
            ]),
        .init(
            "HostConfigInfo", base: "DynamicData",
            [
                "host &HostSystem", "product AboutInfo", "deploymentInfo HostDeploymentInfo?",
                "hyperThread HostHyperThreadScheduleInfo?",
                "cpuScheduler HostCpuSchedulerInfo? 8.0.3.0",
                "consoleReservation ServiceConsoleReservationInfo?",
                "virtualMachineReservation VirtualMachineMemoryReservationInfo?",
                "storageDevice HostStorageDeviceInfo?", "multipathState HostMultipathStateInfo?",
                "fileSystemVolume HostFileSystemVolumeInfo?", "systemFile string*",
                "network HostNetworkInfo?", "vmotion HostVMotionInfo?",
                "virtualNicManagerInfo HostVirtualNicManagerInfo?",
                "capabilities HostNetCapabilities?",
                "datastoreCapabilities HostDatastoreSystemCapabilities?",
                "offloadCapabilities HostNetOffloadCapabilities?", "service HostServiceInfo?",
                "firewall HostFirewallInfo?", "autoStart HostAutoStartManagerConfig?",
                "activeDiagnosticPartition HostDiagnosticPartition?", "option OptionValue*",
                "optionDef OptionDef*", "datastorePrincipal string?",
                "localSwapDatastore &Datastore?",
                "systemSwapConfiguration HostSystemSwapConfiguration?",
                "systemResources HostSystemResourceInfo?", "dateTimeInfo HostDateTimeInfo?",
                "flags HostFlagInfo?", "adminDisabled boolean?", "lockdownMode HostLockdownMode?",
                "ipmi HostIpmiInfo?", "sslThumbprintInfo HostSslThumbprintInfo?",
                "sslThumbprintData HostSslThumbprintInfo*",
                "authenticationData HostAuthenticationInfo* 9.0.0.0", "certificate byte*",
                "pciPassthruInfo HostPciPassthruInfo*",
                "authenticationManagerInfo HostAuthenticationManagerInfo?",
                "featureVersion HostFeatureVersionInfo*",
                "powerSystemCapability PowerSystemCapability?", "powerSystemInfo PowerSystemInfo?",
                "cacheConfigurationInfo HostCacheConfigurationInfo*", "wakeOnLanCapable boolean?",
                "featureCapability HostFeatureCapability*",
                "maskedFeatureCapability HostFeatureCapability*",
                "vFlashConfigInfo HostVFlashManagerVFlashConfigInfo?",
                "vsanHostConfig VsanHostConfigInfo?", "domainList string*",
                "scriptCheckSum base64Binary?", "hostConfigCheckSum base64Binary?",
                "descriptionTreeCheckSum base64Binary? 7.0.0.0", "graphicsInfo HostGraphicsInfo*",
                "sharedPassthruGpuTypes string*", "graphicsConfig HostGraphicsConfig?",
                "sharedGpuCapabilities HostSharedGpuCapabilities*",
                "ioFilterInfo HostIoFilterInfo*", "sriovDevicePool HostSriovDevicePoolInfo*",
                "assignableHardwareBinding HostAssignableHardwareBinding* 7.0.0.0",
                "assignableHardwareConfig HostAssignableHardwareConfig? 7.0.0.0",
            ]),
        .init("NotAuthenticated", base: "NoPermission", []),
        .init(
            "NoPermission", base: "SecurityError",
            [
                "object &ManagedObject?", "privilegeId string?",
                "missingPrivileges NoPermissionEntityPrivileges* 7.0.3.2",
            ]),
        .init("SecurityError", base: "RuntimeFault", []),
        .init("RuntimeFault", base: "MethodFault", []),
        .init("VimFault", base: "MethodFault", []),
        .init("InvalidLogin", base: "VimFault", []),
        .init("InvalidProperty", base: "MethodFault", ["name string"]),
        .init("InvalidName", base: "VimFault", ["name string", "entity &ManagedEntity?"]),
        .init("InvalidArgument", base: "RuntimeFault", ["invalidProperty string?"]),
        .init("InvalidRequest", base: "RuntimeFault", []),
        .init("InvalidType", base: "InvalidRequest", ["argument string?"]),
        .init(
            "MethodNotFound", base: "InvalidRequest", ["receiver &ManagedObject", "method string"]),
        .init("ManagedObjectNotFound", base: "RuntimeFault", ["obj &ManagedObject"]),
        .init("InvalidCollectorVersion", base: "MethodFault", []),
        .init("RequestCanceled", base: "RuntimeFault", []),
        .init(
            "InvalidPowerState", base: "InvalidState",
            ["requestedState VirtualMachinePowerState?", "existingState VirtualMachinePowerState"]),
        .init("InvalidState", base: "VimFault", []),
        .init("ToolsUnavailable", base: "VimFault", []),
        .init("MethodDisabled", base: "RuntimeFault", ["source string?"]),
        .init("ConcurrentAccess", base: "VimFault", []),
        .init("NotSupported", base: "RuntimeFault", []),
        .init("Timedout", base: "VimFault", []),
        .init("TaskInProgress", base: "VimFault", ["task &Task"]),
        .init("HostNotConnected", base: "HostCommunication", []),
        .init("HostCommunication", base: "RuntimeFault", []),
        .init("SystemError", base: "RuntimeFault", ["reason string"]),
        .init("InvalidLocale", base: "VimFault", []),
        .init(
            "MethodFault", base: "DynamicData",
            ["faultCause LocalizedMethodFault?", "faultMessage LocalizableMessage*"]),
        .init(
            "DynamicData", base: nil, ["dynamicType string?", "dynamicProperty DynamicProperty*"]),
        .init("HostNotReachable", base: "HostCommunication", []),
        .init("NotFound", base: "VimFault", []),
        .init(
            "ClusterSystemVMsConfigInfo", base: "DynamicData",
            [
                "allowedDatastores &Datastore* 7.0.3.0", "notAllowedDatastores &Datastore* 7.0.3.0",
                "dsTagCategoriesToExclude string* 7.0.3.0", "deploymentMode string? 8.0.2.0",
            ]),
        .init("RestrictedVersion", base: "SecurityError", []),
        .init("AlreadyExists", base: "VimFault", ["name string?"]),
        .init("FileFault", base: "VimFault", ["file string"]),
        .init("FileLocked", base: "FileFault", []),
        .init(
            "HostAutoStartManagerConfig", base: "DynamicData",
            ["defaults AutoStartDefaults?", "powerInfo AutoStartPowerInfo*"]),
        .init(
            "AutoStartDefaults", base: "DynamicData",
            [
                "enabled boolean?", "startDelay int?", "stopDelay int?",
                "waitForHeartbeat boolean?", "stopAction string?",
            ]),
        .init(
            "AutoStartPowerInfo", base: "DynamicData",
            [
                "key &VirtualMachine", "startOrder int", "startDelay int",
                "waitForHeartbeat AutoStartWaitHeartbeatSetting", "startAction string",
                "stopDelay int", "stopAction string",
            ]),
        .init(
            "HostConfigManager", base: "DynamicData",
            [
                "cpuScheduler &HostCpuSchedulerSystem?", "datastoreSystem &HostDatastoreSystem?",
                "memoryManager &HostMemorySystem?", "storageSystem &HostStorageSystem?",
                "networkSystem &HostNetworkSystem?", "vmotionSystem &HostVMotionSystem?",
                "virtualNicManager &HostVirtualNicManager?", "serviceSystem &HostServiceSystem?",
                "firewallSystem &HostFirewallSystem?", "advancedOption &OptionManager?",
                "diagnosticSystem &HostDiagnosticSystem?",
                "autoStartManager &HostAutoStartManager?", "snmpSystem &HostSnmpSystem?",
                "dateTimeSystem &HostDateTimeSystem?", "patchManager &HostPatchManager?",
                "imageConfigManager &HostImageConfigManager?",
                "bootDeviceSystem &HostBootDeviceSystem?", "firmwareSystem &HostFirmwareSystem?",
                "healthStatusSystem &HostHealthStatusSystem?",
                "pciPassthruSystem &HostPciPassthruSystem?", "licenseManager &LicenseManager?",
                "kernelModuleSystem &HostKernelModuleSystem?",
                "authenticationManager &HostAuthenticationManager?",
                "powerSystem &HostPowerSystem?",
                "cacheConfigurationManager &HostCacheConfigurationManager?",
                "esxAgentHostManager &HostEsxAgentHostManager?", "iscsiManager &IscsiManager?",
                "vFlashManager &HostVFlashManager?", "vsanSystem &HostVsanSystem?",
                "messageBusProxy &MessageBusProxy?", "userDirectory &UserDirectory?",
                "accountManager &HostLocalAccountManager?",
                "hostAccessManager &HostAccessManager?", "graphicsManager &HostGraphicsManager?",
                "vsanInternalSystem &HostVsanInternalSystem?",
                "certificateManager &HostCertificateManager?", "cryptoManager &CryptoManager?",
                "nvdimmSystem &HostNvdimmSystem?",
                "assignableHardwareManager &HostAssignableHardwareManager? 7.0.0.0",
            ]),
    ]

    private static let enumerationValues: [String: [String]] = [
        "DrsBehavior": ["manual", "partiallyAutomated", "fullyAutomated"],
        "DpmBehavior": ["manual", "automated"],
        "AutoStartWaitHeartbeatSetting": ["yes", "no", "systemDefault"],
        "TaskInfoState": ["queued", "running", "success", "error"],
        "VirtualMachinePowerState": ["poweredOff", "poweredOn", "suspended"],
        "VirtualMachineConnectionState": [
            "connected", "disconnected", "orphaned", "inaccessible", "invalid",
        ],
        "HostSystemConnectionState": ["connected", "notResponding", "disconnected"],
        "HostSystemPowerState": ["poweredOn", "poweredOff", "standBy", "unknown"],
        "ObjectUpdateKind": ["modify", "enter", "leave"],
        "PropertyChangeOp": ["add", "remove", "assign", "indirectRemove"],
    ]

    private static let methodList: [VimMethod] = [
        .init("RetrieveServiceContent", on: "ServiceInstance", []),
        .init("CurrentTime", on: "ServiceInstance", []),
        .init(
            "Login", on: "SessionManager",
            ["userName string", "password string", "locale string?"]),
        .init("Logout", on: "SessionManager", []),
        .init(
            "CreateContainerView", on: "ViewManager",
            ["container &ManagedEntity", "type string*", "recursive boolean"]),
        .init("DestroyView", on: "View", []),
        .init("CreatePropertyCollector", on: "PropertyCollector", []),
        .init("DestroyPropertyCollector", on: "PropertyCollector", []),
        .init(
            "CreateFilter", on: "PropertyCollector",
            ["spec PropertyFilterSpec", "partialUpdates boolean"]),
        .init("DestroyPropertyFilter", on: "PropertyFilter", []),
        .init(
            "RetrievePropertiesEx", on: "PropertyCollector",
            ["specSet PropertyFilterSpec+", "options RetrieveOptions"]),
        .init("ContinueRetrievePropertiesEx", on: "PropertyCollector", ["token string"]),
        .init("CancelRetrievePropertiesEx", on: "PropertyCollector", ["token string"]),
        .init(
            "WaitForUpdatesEx", on: "PropertyCollector",
            ["version string?", "options WaitOptions?"]),
        .init("CancelWaitForUpdates", on: "PropertyCollector", []),
        .init(
            "ReconfigureComputeResource_Task", on: "ComputeResource",
            ["spec ComputeResourceConfigSpec", "modify boolean"]),
        .init("QueryOptions", on: "OptionManager", ["name string?"]),
        .init("UpdateOptions", on: "OptionManager", ["changedValue OptionValue+"]),
        .init(
            "HasPrivilegeOnEntities", on: "AuthorizationManager",
            ["entity &ManagedEntity+", "sessionId string", "privId string*"]),
        .init("ShutdownGuest", on: "VirtualMachine", []),
        .init("TerminateVM", on: "VirtualMachine", []),
        .init(
            "AnswerVM", on: "VirtualMachine", ["questionId string", "answerChoice string"]),
        .init(
            "PowerOnMultiVM_Task", on: "Datacenter",
            ["vm &VirtualMachine+", "option OptionValue*"]),
        .init("PowerOffVM_Task", on: "VirtualMachine", []),
        .init("PowerOnVM_Task", on: "VirtualMachine", ["host &HostSystem?"]),
        .init("SuspendVM_Task", on: "VirtualMachine", []),
        .init(
            "EnterMaintenanceMode_Task", on: "HostSystem",
            [
                "timeout int", "evacuatePoweredOffVms boolean?",
                "maintenanceSpec HostMaintenanceSpec?",
            ]),
        .init("ExitMaintenanceMode_Task", on: "HostSystem", ["timeout int"]),
        .init("ShutdownHost_Task", on: "HostSystem", ["force boolean"]),
        .init(
            "RegisterVM_Task", on: "Folder",
            [
                "path string", "name string?", "asTemplate boolean", "pool &ResourcePool?",
                "host &HostSystem?",
            ]),
        .init(
            "ReconfigureAutostart", on: "HostAutoStartManager",
            ["spec HostAutoStartManagerConfig"]),
        .init("CancelTask", on: "Task", []),
        .init("Fetch", on: "ManagedObject", ["prop string"]),
    ]

    /// Managed objects, with their properties.
    private static let managedTypes: [VimObjectType] = [
        .init(
            "ServiceInstance", base: nil,
            ["serverClock dateTime", "capability Capability", "content ServiceContent"]),
        .init(
            "SessionManager", base: nil,
            [
                "sessionList UserSession*", "currentSession UserSession?", "message string?",
                "messageLocaleList string*", "supportedLocaleList string*", "defaultLocale string",
            ]),
        .init("ViewManager", base: nil, ["viewList &View*"]),
        .init("View", base: nil, []),
        .init("ManagedObjectView", base: "View", ["view &ManagedObject*"]),
        .init(
            "ContainerView", base: "ManagedObjectView",
            ["container &ManagedEntity", "type string*", "recursive boolean"]),
        .init("PropertyCollector", base: nil, ["filter &PropertyFilter*"]),
        .init("PropertyFilter", base: nil, ["spec PropertyFilterSpec", "partialUpdates boolean"]),
        .init("OptionManager", base: nil, ["supportedOption OptionDef*", "setting OptionValue*"]),
        .init(
            "AuthorizationManager", base: nil,
            [
                "privilegeList AuthorizationPrivilege*", "roleList AuthorizationRole*",
                "description AuthorizationDescription",
            ]),
        .init(
            "ExtensibleManagedObject", base: nil,
            ["value CustomFieldValue*", "availableField CustomFieldDef*"]),
        .init(
            "ManagedEntity", base: "ExtensibleManagedObject",
            [
                "parent &ManagedEntity?", "customValue CustomFieldValue*",
                "overallStatus ManagedEntityStatus", "configStatus ManagedEntityStatus",
                "configIssue Event*", "effectiveRole int*", "permission Permission*", "name string",
                "disabledMethod string*", "recentTask &Task*", "declaredAlarmState AlarmState*",
                "triggeredAlarmState AlarmState*", "alarmActionsEnabled boolean?", "tag Tag*",
            ]),
        .init(
            "Folder", base: "ManagedEntity",
            [
                "childType string*", "childEntity &ManagedEntity*", "namespace string? 7.0.0.0",
                "externallyManagedFolderInfo FolderExternallyManagedFolderInfo? 9.0.0.0",
            ]),
        .init(
            "Datacenter", base: "ManagedEntity",
            [
                "vmFolder &Folder", "hostFolder &Folder", "datastoreFolder &Folder",
                "networkFolder &Folder", "datastore &Datastore*", "network &Network*",
                "configuration DatacenterConfigInfo",
            ]),
        .init(
            "ComputeResource", base: "ManagedEntity",
            [
                "resourcePool &ResourcePool?", "host &HostSystem*", "datastore &Datastore*",
                "network &Network*", "summary ComputeResourceSummary",
                "environmentBrowser &EnvironmentBrowser?",
                "configurationEx ComputeResourceConfigInfo", "lifecycleManaged boolean? 6.9.1",
                "configManagerEnabled boolean? 8.0.0.0", "networkBootMode string? 9.0.0.0",
            ]),
        .init(
            "ClusterComputeResource", base: "ComputeResource",
            [
                "configuration ClusterConfigInfo", "recommendation ClusterRecommendation*",
                "drsRecommendation ClusterDrsRecommendation*",
                "summaryEx ClusterComputeResourceSummary 7.0.1.1",
                "hciConfig ClusterComputeResourceHCIConfigInfo? 6.7.1",
                "migrationHistory ClusterDrsMigration*", "actionHistory ClusterActionHistory*",
                "drsFault ClusterDrsFaults*",
            ]),
        .init(
            "HostSystem", base: "ManagedEntity",
            [
                "runtime HostRuntimeInfo", "summary HostListSummary", "hardware HostHardwareInfo?",
                "capability HostCapability?", "licensableResource HostLicensableResourceInfo",
                "remediationState HostSystemRemediationState?",
                "precheckRemediationResult ApplyHostProfileConfigurationSpec?",
                "remediationResult ApplyHostProfileConfigurationResult?",
                "complianceCheckState HostSystemComplianceCheckState?",
                "complianceCheckResult ComplianceResult?", "configManager HostConfigManager",
                "config HostConfigInfo?", "vm &VirtualMachine*", "datastore &Datastore*",
                "network &Network*", "datastoreBrowser &HostDatastoreBrowser",
                "systemResources HostSystemResourceInfo?",
                "answerFileValidationState AnswerFileStatusResult?",
                "answerFileValidationResult AnswerFileStatusResult?",
            ]),
        .init(
            "VirtualMachine", base: "ManagedEntity",
            [
                "capability VirtualMachineCapability", "config VirtualMachineConfigInfo?",
                "layout VirtualMachineFileLayout?", "layoutEx VirtualMachineFileLayoutEx?",
                "storage VirtualMachineStorageInfo?", "environmentBrowser &EnvironmentBrowser",
                "resourcePool &ResourcePool?", "parentVApp &ManagedEntity?",
                "resourceConfig ResourceConfigSpec?", "runtime VirtualMachineRuntimeInfo",
                "guest GuestInfo?", "summary VirtualMachineSummary", "datastore &Datastore*",
                "network &Network*", "snapshot VirtualMachineSnapshotInfo?",
                "rootSnapshot &VirtualMachineSnapshot*", "guestHeartbeatStatus ManagedEntityStatus",
            ]),
        .init(
            "ResourcePool", base: "ManagedEntity",
            [
                "summary ResourcePoolSummary", "runtime ResourcePoolRuntimeInfo",
                "owner &ComputeResource", "resourcePool &ResourcePool*", "vm &VirtualMachine*",
                "config ResourceConfigSpec", "namespace string? 7.0.0.0",
                "childConfiguration ResourceConfigSpec*",
            ]),
        .init(
            "VirtualApp", base: "ResourcePool",
            [
                "parentFolder &Folder?", "datastore &Datastore*", "network &Network*",
                "vAppConfig VAppConfigInfo?", "parentVApp &ManagedEntity?",
                "childLink VirtualAppLinkInfo*",
            ]),
        .init("CryptoManager", base: nil, ["enabled boolean"]),
        .init("CryptoManagerKmip", base: "CryptoManager", ["kmipServers KmipClusterInfo*"]),
        .init("CustomFieldsManager", base: nil, ["field CustomFieldDef*"]),
        .init("HostAutoStartManager", base: nil, ["config HostAutoStartManagerConfig"]),
        .init("Task", base: "ExtensibleManagedObject", ["info TaskInfo"]),
    ]
}
