/* Stands in for the seven symbols of FoundationEssentials that swift-argument-parser refers to, so that the linker leaves
   the library out of the release: its parts hold on to each other, and one symbol of it brings 5.6 MB along, a third of
   the program, with its dates, locales, URLs and regular expressions.

   None of the seven is needed here. The protocol LocalizedError is asked of errors before they are printed, and nothing
   that is not Foundation's own conforms to it. The others write the JSON of the hidden option `--experimental-dump-help`:
   whoever asks for that is told that there is no such option. The debug build has it, and the true Foundation.

   All are weak: where swift-argument-parser comes to ask for another part, the linker takes the whole library in again and
   everything is its own, as if this file were not here; the step `size` of Tests/run notices. They are hidden: a shared
   FoundationEssentials never sees them. */
#include "CNoFoundation.h"

#ifdef WITHOUT_FOUNDATION

#include <stdlib.h>
#include <unistd.h>

/* EX_USAGE, as for any option that is not there. */
static _Noreturn void refuse(void) {
  static const char text[] = "Error: Unknown option '--experimental-dump-help'\n";
  if (write(STDERR_FILENO, text, sizeof text - 1) < 0) _exit(64);
  exit(64);
}

#define STAND_IN(name, symbol) \
  __attribute__((weak, visibility("hidden"))) _Noreturn void name(void) __asm__(symbol); \
  void name(void) { refuse(); }

/* type metadata accessor for JSONEncoder; JSONEncoder.init(); its two formats */
STAND_IN(json_encoder_type, "$s20FoundationEssentials11JSONEncoderCMa")
STAND_IN(json_encoder_init, "$s20FoundationEssentials11JSONEncoderCACycfc")
STAND_IN(json_encoder_pretty_printed, "$s20FoundationEssentials11JSONEncoderC16OutputFormattingV13prettyPrintedAEvau")
STAND_IN(json_encoder_sorted_keys, "$s20FoundationEssentials11JSONEncoderC16OutputFormattingV10sortedKeysAEvau")
/* String.init(data:encoding:); String.Encoding.utf8 */
STAND_IN(string_of_data, "$sSS20FoundationEssentialsE4data8encodingSSSgAA4DataVh_SSAAE8EncodingVtcfC")
STAND_IN(string_encoding_utf8, "$sSS20FoundationEssentialsE8EncodingV4utf8ACvau")

/* protocol descriptor for LocalizedError, with no requirements (include/swift/ABI/Metadata.h of Swift, class
   TargetProtocolDescriptor): flags (a protocol, unique, for any type), parent, name (relative), requirements in its
   signature, requirements, associated types. */
__asm__(
    ".section .rodata.no_foundation, \"a\", %progbits\n"
    ".balign 4\n"
    ".weak \"$s20FoundationEssentials14LocalizedErrorMp\"\n"
    ".hidden \"$s20FoundationEssentials14LocalizedErrorMp\"\n"
    ".type \"$s20FoundationEssentials14LocalizedErrorMp\", %object\n"
    "\"$s20FoundationEssentials14LocalizedErrorMp\":\n"
    "  .long 0x00010043, 0, 1f - ., 0, 0, 0\n"
    ".size \"$s20FoundationEssentials14LocalizedErrorMp\", . - \"$s20FoundationEssentials14LocalizedErrorMp\"\n"
    "1: .asciz \"LocalizedError\"\n"
    ".text\n");

#endif
