import Glibc

/// What a person asks of the drills.
enum Environment {
    /// The number that an environment variable gives.
    static func number(_ name: String) -> UInt64? {
        getenv(name).flatMap { UInt64(String(cString: $0)) }
    }

    /// How many afternoons are lived through at the same time.
    static var cores: Int { max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) }
}
