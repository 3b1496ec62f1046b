/// Where the agent keeps what it keeps: `[files]` of the configuration.
package struct FileLocations: Equatable, Sendable {
  package var socket: String
  package var stateDirectory: String

  package init(socket: String = "/run/backhaul/agent.sock", stateDirectory: String = "/var/lib/backhaul") {
    self.socket = socket
    self.stateDirectory = stateDirectory
  }
}
