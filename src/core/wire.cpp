#include "container_ib/wire.hpp"

namespace cib::wire {

Result<Kind> kind_of(const void* bytes, std::size_t size) {
  Header header;
  if (size < sizeof header) return error(Errc::corrupt, "message shorter than its header");
  std::memcpy(&header, bytes, sizeof header);
  if (header.magic != magic) return error(Errc::corrupt, "message without our mark");
  if (header.version != version)
    return error(Errc::corrupt, "message of version " + std::to_string(header.version) +
                                    ", this is version " + std::to_string(version) +
                                    ": plugin and agent are of different installations");
  if (header.kind < Kind::start || header.kind > Kind::end)
    return error(Errc::corrupt, "message of unknown kind");
  return header.kind;
}

}  // namespace cib::wire
