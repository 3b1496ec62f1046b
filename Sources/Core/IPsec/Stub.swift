package struct PathMTUKey: Hashable, Sendable {
  init(_ address: IPv4Address, _ device: InterfaceName) {}
}
extension ActualState { var pathMTUs: [PathMTUKey: Int] { [:] } }
