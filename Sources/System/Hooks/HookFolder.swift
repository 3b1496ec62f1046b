internal import Agent
internal import Glibc

/// The folder of hooks: which files in it may be run. Only what root alone can have put there, because otherwise the
/// agent would lend its rights to others.
enum HookFolder {
  /// More are none that a person keeps.
  static let mostHooks = 16

  static func read(_ path: String, trusting owner: UInt32 = 0) -> HookListing {
    var status = stat()
    if let refusal = faultAbove(path, owner) { return HookListing(refused: [path: refusal]) }
    guard lstat(path, &status) == 0 else {
      return errno == ENOENT ? HookListing() : HookListing(refused: [path: "its folder: \(errorText(errno))"])
    }
    guard status.st_mode & S_IFMT == S_IFDIR else { return HookListing(refused: [path: "this is not a folder"]) }
    if let fault = fault(status, owner) { return HookListing(refused: [path: "the folder \(fault)"]) }
    let names: [String]
    do throws(SystemCallFailure) { names = try DirectoryListing.names(in: path) } catch {
      return HookListing(refused: [path: "its folder: \(error.cause)"])
    }
    var listing = HookListing()
    for name in names {
      guard isHook(name), lstat("\(path)/\(name)", &status) == 0 else { continue }
      switch status.st_mode & S_IFMT {
      case S_IFREG:
        if let fault = fault(status, owner) {
          listing.refused[name] = "it \(fault)"
        } else if status.st_mode & 0o111 == 0 {
          listing.refused[name] = "it is not executable"
        } else {
          listing.hooks.append(name)
        }
      case S_IFLNK: listing.refused[name] = "it is a symbolic link; the program itself belongs here"
      default: break
      }
    }
    for name in listing.hooks.dropFirst(mostHooks) { listing.refused[name] = "the limit is \(mostHooks) hooks" }
    listing.hooks = Array(listing.hooks.prefix(mostHooks))
    return listing
  }

  /// Anyone who can write to a folder above can replace what is in it, unless that folder is sticky (unlink(2)).
  private static func faultAbove(_ path: String, _ owner: UInt32) -> String? {
    var status = stat()
    var above = ""
    for part in path.split(separator: "/").dropLast() {
      above += "/\(part)"
      guard lstat(above, &status) == 0 else { return nil }
      if status.st_mode & S_IFMT == S_IFLNK { return "\(above) is a symbolic link" }
      if status.st_uid == 0 { status.st_uid = owner }
      if status.st_mode & UInt32(S_ISVTX) != 0 { status.st_mode &= ~0o022 }
      if let fault = fault(status, owner) { return "\(above) \(fault)" }
    }
    return nil
  }

  private static func fault(_ status: stat, _ owner: UInt32) -> String? {
    if status.st_uid != owner { return "belongs to user \(status.st_uid), not to root" }
    if status.st_mode & 0o022 != 0 { return "can be written by others besides root" }
    return nil
  }

  /// Like run-parts(8): files that editors and dpkg leave behind do not count.
  private static func isHook(_ name: String) -> Bool {
    (1...64).contains(name.utf8.count)
      && name.utf8.allSatisfy { byte in
        (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
          || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
      }
  }
}
