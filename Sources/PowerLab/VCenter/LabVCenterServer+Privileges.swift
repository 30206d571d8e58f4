import PowerModel

extension LabVCenterServer {
    static let authorizationManager = VimReference(
        "AuthorizationManager", "AuthorizationManager")
}
