/// A host's management controller (iDRAC, iLO, XClarity, OpenBMC), which has power while its host
/// is off, and how vpower logs in there. It is asked over Redfish (DMTF DSP0266).
public struct BMCSite: Hashable, Sendable {
    /// Its address and port.
    public var endpoint: Endpoint
    /// The user to log in as; one who may only read is enough.
    public var user: String
    /// That user's password.
    public var password: SecretReference
    /// How its certificate is verified.
    public var trust: CertificateTrust
    /// Which of its systems is the host, e.g. `System.Embedded.1`; nil where it has only one.
    public var system: String?

    /// A management controller.
    public init(
        endpoint: Endpoint, user: String, password: SecretReference, trust: CertificateTrust,
        system: String? = nil
    ) {
        self.endpoint = endpoint
        self.user = user
        self.password = password
        self.trust = trust
        self.system = system
    }
}
