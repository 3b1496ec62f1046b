internal import CCurl
internal import CLinux
internal import Glibc

/// One transfer as libcurl knows it. Made, used and released on the engine's thread only; its callbacks run there too.
final class EasyHandle {
  /// The limit for all header lines of one answer. A rule set's have a few hundred bytes.
  private static let maximumHeaderBytes = 64 << 10
  /// A server that sends less than this for this long is not worth the wait. Under the time limit, which bounds all.
  private static let lowestSpeed = (bytesPerSecond: 64, seconds: 15)

  let number: UInt64
  let pointer: UnsafeMutableRawPointer
  private let request: TransferRequest
  private let complete: @Sendable (Result<TransferResponse, TransferFailure>) -> Void
  private let errorText = UnsafeMutablePointer<CChar>.allocate(capacity: Int(CURL_ERROR_SIZE))
  private var lists: [UnsafeMutablePointer<curl_slist>] = []
  private var body: [UInt8] = []
  private var headerBytes = 0
  /// What a callback of ours found, which says more than the code that libcurl makes of it.
  private var found: TransferFailure?
  private var isCut = false

  init?(
    _ number: UInt64, _ request: TransferRequest,
    _ complete: @escaping @Sendable (Result<TransferResponse, TransferFailure>) -> Void
  ) {
    guard let pointer = curl_easy_init() else { return nil }
    self.number = number
    self.pointer = pointer
    self.request = request
    self.complete = complete
    errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
  }

  deinit {
    curl_easy_cleanup(pointer)
    for list in lists { curl_slist_free_all(list) }
    errorText.deallocate()
  }

  /// The handle behind a callback's argument.
  static func behind(_ context: UnsafeMutableRawPointer?) -> EasyHandle? {
    context.map { Unmanaged<EasyHandle>.fromOpaque($0).takeUnretainedValue() }
  }

  func finish(_ failure: TransferFailure) { complete(.failure(failure)) }

  func finish(_ code: CURLcode) { complete(result(code)) }

  // MARK: Options

  func configure() throws(TransferFailure) {
    let me = Unmanaged.passUnretained(self).toOpaque()
    try set(curl_set_pointer(pointer, CURLOPT_ERRORBUFFER, errorText))
    try set(curl_set_pointer(pointer, CURLOPT_PRIVATE, me))
    try set(curl_set_string(pointer, CURLOPT_PROTOCOLS_STR, "http,https"))
    try set(curl_set_string(pointer, CURLOPT_URL, request.url))
    // 1.1 has all that is needed and the fewest ways to misbehave.
    try set(curl_set_long(pointer, CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1)))
    try set(curl_set_long(pointer, CURLOPT_FOLLOWLOCATION, 0))
    // The empty string also keeps http_proxy and friends of the environment out.
    try set(curl_set_string(pointer, CURLOPT_PROXY, ""))
    try set(curl_set_long(pointer, CURLOPT_NOSIGNAL, 1))
    // Else a slow name server blocks the thread for seconds past a time limit.
    try set(curl_set_long(pointer, CURLOPT_QUICK_EXIT, 1))
    try set(curl_set_long(pointer, CURLOPT_TIMEOUT_MS, Self.milliseconds(request.timeout)))
    try set(curl_set_long(pointer, CURLOPT_CONNECTTIMEOUT_MS, Self.milliseconds(request.timeout)))
    try set(curl_set_long(pointer, CURLOPT_LOW_SPEED_LIMIT, Self.lowestSpeed.bytesPerSecond))
    try set(curl_set_long(pointer, CURLOPT_LOW_SPEED_TIME, Self.lowestSpeed.seconds))
    if request.excess == .fails {
      try set(curl_set_large(pointer, CURLOPT_MAXFILESIZE_LARGE, curl_off_t(request.maximumBytes)))
    }
    // A connection that is used again keeps the binding and mark that it was made with.
    try set(curl_set_long(pointer, CURLOPT_FRESH_CONNECT, 1))
    try set(curl_set_long(pointer, CURLOPT_FORBID_REUSE, 1))
    try configureTrust()
    try configureAddress()
    try configureHeaders()
    try configureCallbacks(me)
  }

  private func configureTrust() throws(TransferFailure) {
    try set(curl_set_long(pointer, CURLOPT_SSL_VERIFYPEER, 1))
    try set(curl_set_long(pointer, CURLOPT_SSL_VERIFYHOST, 2))
    try set(curl_set_long(pointer, CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2)))
    // With any CAPATH libcurl parses the whole bundle again for each handshake: 36 MB instead of 20 at the peak.
    try set(curl_set_string(pointer, CURLOPT_CAPATH, nil))
    if let file = request.authorityFile { try set(curl_set_string(pointer, CURLOPT_CAINFO, file)) }
    if let file = request.clientCertificateFile { try set(curl_set_string(pointer, CURLOPT_SSLCERT, file)) }
    if let file = request.clientKeyFile { try set(curl_set_string(pointer, CURLOPT_SSLKEY, file)) }
  }

  private func configureAddress() throws(TransferFailure) {
    guard let address = request.connectAddress else { return }
    // Both fields before the address empty: any host, any port.
    try list(CURLOPT_CONNECT_TO, ["::\(address):"])
    try set(curl_set_long(pointer, CURLOPT_IPRESOLVE, Int(CURL_IPRESOLVE_V4)))
  }

  private func configureHeaders() throws(TransferFailure) {
    // A line break in a value would be a header of its own.
    for header in request.headers where header.utf8.contains(where: { $0 < 0x20 || $0 == 0x7f }) {
      throw .notStarted("the header \(header.prefix { $0 != ":" }) holds a control character")
    }
    try list(CURLOPT_HTTPHEADER, request.headers)
  }

  private func configureCallbacks(_ me: UnsafeMutableRawPointer) throws(TransferFailure) {
    try set(curl_set_pointer(pointer, CURLOPT_WRITEDATA, me))
    try set(
      curl_set_receiver(pointer, CURLOPT_WRITEFUNCTION) { bytes, size, count, context in
        EasyHandle.behind(context)?.received(UnsafeRawBufferPointer(start: bytes, count: size * count)) ?? 0
      })
    try set(curl_set_pointer(pointer, CURLOPT_HEADERDATA, me))
    try set(
      curl_set_receiver(pointer, CURLOPT_HEADERFUNCTION) { _, size, count, context in
        EasyHandle.behind(context)?.receivedHeader(size * count) ?? 0
      })
    guard request.binding != nil else { return }
    try set(curl_set_pointer(pointer, CURLOPT_SOCKOPTDATA, me))
    try set(
      curl_set_socket_hook(pointer) { context, socket, _ in
        EasyHandle.behind(context)?.bind(socket) == true ? Int32(CURL_SOCKOPT_OK) : Int32(CURL_SOCKOPT_ERROR)
      })
  }

  /// Within what libcurl takes; at least 1, as 0 means no limit.
  private static func milliseconds(_ duration: Duration) -> Int {
    let (seconds, attoseconds) = duration.components
    return Int(min(max(1, seconds.clamped(to: 0...1_000_000) * 1000 + attoseconds / 1_000_000_000_000_000), 1 << 30))
  }

  private func set(_ code: CURLcode) throws(TransferFailure) {
    guard code == CURLE_OK else { throw .notStarted(String(cString: curl_easy_strerror(code))) }
  }

  private func list(_ option: CURLoption, _ lines: [String]) throws(TransferFailure) {
    var head: UnsafeMutablePointer<curl_slist>?
    for line in lines {
      guard let longer = curl_slist_append(head, line) else {
        curl_slist_free_all(head)
        throw .notStarted("out of memory")
      }
      head = longer
    }
    guard let head else { return }
    lists.append(head)
    try set(curl_set_list(pointer, option, head))
  }

  // MARK: Callbacks. Returning fewer bytes than there are ends the transfer.

  private func received(_ bytes: UnsafeRawBufferPointer) -> Int {
    let room = request.maximumBytes - body.count
    if bytes.count > room {
      switch request.excess {
      case .fails: found = .bodyTooLarge(limit: request.maximumBytes)
      case .isCut:
        body.append(contentsOf: bytes.prefix(room))
        isCut = true
      }
      return 0
    }
    body.append(contentsOf: bytes)
    return bytes.count
  }

  private func receivedHeader(_ count: Int) -> Int {
    headerBytes += count
    guard headerBytes <= Self.maximumHeaderBytes else {
      found = .headersTooLarge(limit: Self.maximumHeaderBytes)
      return 0
    }
    return count
  }

  private func bind(_ socket: Int32) -> Bool {
    guard let binding = request.binding else { return true }
    let step = Int(linux_bind_to_path(socket, binding.device, binding.mark, binding.source.bigEndian))
    let error = errno
    switch step {
    case LINUX_PATH_BOUND: return true
    case LINUX_PATH_MARK: found = .notBound(step: "set a mark", errno: error)
    case LINUX_PATH_DEVICE: found = .notBound(step: "bind to device \(binding.device)", errno: error)
    default: found = .notBound(step: "bind to the source address", errno: error)
    }
    return false
  }

  // MARK: Result

  private func result(_ code: CURLcode) -> Result<TransferResponse, TransferFailure> {
    if let found { return .failure(found) }
    guard code == CURLE_OK || (isCut && code == CURLE_WRITE_ERROR) else { return .failure(failure(code)) }
    var status = 0
    curl_get_long(pointer, CURLINFO_RESPONSE_CODE, &status)
    var microseconds: curl_off_t = 0
    curl_get_large(pointer, CURLINFO_TOTAL_TIME_T, &microseconds)
    return .success(
      TransferResponse(
        status: status, body: body, etag: header("ETag"), contentType: header("Content-Type"),
        duration: .microseconds(Int64(microseconds))))
  }

  private func failure(_ code: CURLcode) -> TransferFailure {
    if code == CURLE_FILESIZE_EXCEEDED { return .bodyTooLarge(limit: request.maximumBytes) }
    // A header line of 100 KB and more overflows a buffer of libcurl's own, which calls that out of memory.
    var asked: curl_off_t = 0
    curl_get_large(pointer, CURLINFO_PRETRANSFER_TIME_T, &asked)
    if code == CURLE_OUT_OF_MEMORY && asked > 0 { return .headersTooLarge(limit: Self.maximumHeaderBytes) }
    var error = 0
    curl_get_long(pointer, CURLINFO_OS_ERRNO, &error)
    let detail = String(cString: errorText)
    let text = detail.isEmpty ? String(cString: curl_easy_strerror(code)) : detail
    // libcurl reports a breach of the low-speed limit as a timeout; only its words tell them apart.
    if code == CURLE_OPERATION_TIMEDOUT && text.hasPrefix("Operation too slow") { return .tooSlow }
    return TransferFailure(code, text, errno: Int32(truncatingIfNeeded: error))
  }

  private func header(_ name: String) -> String? {
    var found: UnsafeMutablePointer<curl_header>?
    guard curl_easy_header(pointer, name, 0, UInt32(CURLH_HEADER), -1, &found) == CURLHE_OK, let found else {
      return nil
    }
    return String(cString: found.pointee.value)
  }
}

extension Comparable {
  fileprivate func clamped(to range: ClosedRange<Self>) -> Self { min(max(self, range.lowerBound), range.upperBound) }
}
