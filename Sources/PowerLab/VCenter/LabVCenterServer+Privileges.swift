import PowerModel

extension LabVCenterServer {
    static let cryptoManager = VimReference("CryptoManagerKmip", "CryptoManager")
    static let authorizationManager = VimReference(
        "AuthorizationManager", "AuthorizationManager")
}
