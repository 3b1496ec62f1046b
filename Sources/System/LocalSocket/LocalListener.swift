internal import Glibc

/// The agent's socket in the file system. Only one agent at a time has it: it holds a lock beside it as long as it
/// lives, so that a killed agent's socket is replaced and a living one's is not.
struct LocalListener: ~Copyable {
  let descriptor: FileDescriptor
  private let lock: FileDescriptor
  private let path: String

  /// `group`: who may talk to the agent besides root; nil: root's group alone.
  static func open(_ path: String, group: UInt32?) throws(SystemCallFailure) -> LocalListener {
    let address = try UnixAddress(path)
    // Mode as in the unit: a service manager makes the folder; for an agent started by hand there is none after each
    // boot.
    try Directory.make(Directory.holding(path), mode: 0o755)
    let lock = try takeLock(path)
    let socket = try UnixAddress.newSocket()
    // The mode that bind gives the file, less the umask: nobody can come in between bind and chmod.
    guard fchmod(socket.number, 0o660) == 0 else { throw SystemCallFailure.last("chmod \(path)") }
    if address.bind(socket.number) != 0 {
      guard errno == EADDRINUSE else { throw SystemCallFailure.last("bind \(path)") }
      try removeDead(address)
      guard address.bind(socket.number) == 0 else { throw SystemCallFailure.last("bind \(path)") }
    }
    if let group, chown(path, uid_t.max, group) != 0 { throw SystemCallFailure.last("chgrp \(path)") }
    guard chmod(path, 0o660) == 0 else { throw SystemCallFailure.last("chmod \(path)") }
    // As many as are served at once; further clients block in connect.
    guard listen(socket.number, 64) == 0 else { throw SystemCallFailure.last("listen \(path)") }
    return LocalListener(descriptor: socket, lock: lock, path: path)
  }

  private init(descriptor: consuming FileDescriptor, lock: consuming FileDescriptor, path: String) {
    self.descriptor = descriptor
    self.lock = lock
    self.path = path
  }

  /// The lock file stays: to remove it would let two agents hold two files of one name.
  deinit { unlink(path) }

  private static func takeLock(_ path: String) throws(SystemCallFailure) -> FileDescriptor {
    // O_NONBLOCK: opening a pipe must not wait for its other end.
    let flags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK
    let lock = try FileDescriptor.adopting(Glibc.open(path + ".lock", flags, 0o600), "open \(path).lock")
    guard flock(lock.number, LOCK_EX | LOCK_NB) == 0 else {
      if errno == EWOULDBLOCK { throw .taken("bind \(path)", "another agent has it") }
      throw SystemCallFailure.last("lock \(path).lock")
    }
    return lock
  }

  /// Removes a socket that nobody listens on. Throws if something does, or if it is not a socket.
  private static func removeDead(_ address: UnixAddress) throws(SystemCallFailure) {
    var status = stat()
    guard lstat(address.path, &status) == 0 else { throw SystemCallFailure.last("stat \(address.path)") }
    guard status.st_mode & S_IFMT == S_IFSOCK else {
      throw SystemCallFailure("bind \(address.path)", cause: "something other than a socket is there")
    }
    let probe = try UnixAddress.newSocket()
    guard address.connect(probe.number) != 0, errno == ECONNREFUSED else {
      throw .taken("bind \(address.path)", "another program listens on it")
    }
    guard unlink(address.path) == 0 else { throw SystemCallFailure.last("remove \(address.path)") }
  }
}

extension SystemCallFailure {
  /// The socket is somebody's who lives.
  package var isTaken: Bool { errno == EWOULDBLOCK }

  fileprivate static func taken(_ operation: String, _ cause: String) -> SystemCallFailure {
    var failure = SystemCallFailure(operation, cause: cause)
    failure.errno = EWOULDBLOCK
    return failure
  }
}
