package import Agent
internal import Glibc

/// The resolver's file in the state directory.
package struct FileResolverList: ResolverListStore {
  /// 16,384 domains of 253 bytes are 4 MiB, and each line names its sets.
  private static let mostBytes = 64 << 20

  package let path: String

  package init(directory: String) { path = directory + "/dnsmasq.conf" }

  package func load() throws(StoreFailure) -> String? {
    do throws(SystemCallFailure) {
      return String(decoding: try BoundedFile.read(path, atMost: Self.mostBytes), as: UTF8.self)
    } catch {
      if error.errno == ENOENT { return nil }
      throw StoreFailure(error)
    }
  }

  /// For everyone to read: dnsmasq may have become another user by then.
  package func save(_ text: String) throws(StoreFailure) {
    do throws(SystemCallFailure) { try AtomicFile.write(Array(text.utf8), to: path, mode: 0o644) } catch {
      throw StoreFailure(error)
    }
  }
}
