// For architectures whose SHA-256 instructions are not used: the portable code does it.
#include "../../core/sha256.h"

namespace halyard {

Sha256::BlockFunction ArchSha256Blocks() { return nullptr; }

}  // namespace halyard
