import Agent
import Core
import Fakes
import Glibc
import Testing

@testable import System

/// Programs in a folder; with a service, they run as for an agent that is not root.
struct HookFolderGround: HookGround {
  let folder: Folder
  let service: HookServiceBench?

  init(byService: Bool) throws {
    folder = try Folder()
    // mkdtemp's 0700 would keep the user of the hooks out.
    chmod(folder.path, 0o755)
    service = byService ? try HookServiceBench() : nil
  }

  func port() throws -> any HookPort {
    let configuration = HooksConfiguration(directory: folder.path)
    guard let service else { return try LinuxHooks(configuration, trusting: geteuid()) }
    return try LinuxHooks(configuration, trusting: geteuid(), service: service.path, isRoot: false)
  }

  func put(_ hook: String, _ program: HookProgram, _ flaw: HookFlaw?) throws {
    let script =
      switch program {
      case .exits(let status, let lines): "cat <<'END'\n\(lines.map { $0 + "\n" }.joined())END\nexit \(status)"
      case .dies(let signal): "kill -\(signal) $$"
      case .hangs: "exec sleep 1000"
      case .printsItsEnvironment: "env | grep -v -e '^_=' -e '^PWD=' | LC_ALL=C sort"
      }
    if flaw == .isALink {
      symlink("/bin/true", folder.file(hook))
      return
    }
    let mode =
      switch flaw {
      case .canBeWritten: 0o775
      case .isNotExecutable: 0o644
      default: 0o755
      }
    try folder.write("#!/bin/sh\n\(script)\n", to: hook, mode: mode)
    if flaw == .belongsToAnother { chown(folder.file(hook), 12_345, 0) }
  }
}

/// Does what systemd does for backhaul-hooks.socket: serves each connection, here with a task.
final class HookServiceBench: Sendable {
  let path: String
  private let folder: Folder
  private let listener: FileDescriptor

  init() throws {
    folder = try Folder()
    path = folder.file("hooks.sock")
    let address = try UnixAddress(path)
    listener = try FileDescriptor.adopting(socket(AF_UNIX, Int32(SOCK_SEQPACKET.rawValue), 0), "open a socket")
    try #require(address.bind(listener.number) == 0 && listen(listener.number, 8) == 0)
    let number = listener.number
    try SystemThread.start(name: "accept") {
      while case let connection = accept(number, nil, nil), connection >= 0 {
        Task {
          try? await HookService.serve(connection, trusting: geteuid())
          close(connection)
        }
      }
    }
  }

  deinit { shutdown(listener.number, Int32(SHUT_RDWR)) }
}
