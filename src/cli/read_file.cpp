#include "read_file.hpp"

#include "adapters/linux/bounded_read.hpp"

namespace cib::cli {

namespace {

constexpr std::size_t max_size = 1 << 20;

}  // namespace

Result<std::string> read_file(const std::string& path) {
  auto text = read_small_file(path, max_size);
  if (text) return text;
  const int why = text.error().sys_errno;
  if (why == 0) return error(Errc::bad_config, path + " is larger than 1 MiB");
  return error(Errc::not_found, "cannot read " + path, why);
}

}  // namespace cib::cli
