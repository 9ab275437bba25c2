#include "read_file.hpp"

#include <cerrno>
#include <cstdio>
#include <memory>

namespace cib::cli {

namespace {

constexpr std::size_t max_size = 1 << 20;

struct Closer {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

}  // namespace

Result<std::string> read_file(const std::string& path) {
  const std::unique_ptr<std::FILE, Closer> file(std::fopen(path.c_str(), "re"));
  if (!file) return error(Errc::not_found, "cannot read " + path, errno);
  std::string text(max_size + 1, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file.get()));
  if (std::ferror(file.get()) != 0) return error(Errc::not_found, "cannot read " + path, errno);
  if (text.size() > max_size) return error(Errc::bad_config, path + " is larger than 1 MiB");
  return text;
}

}  // namespace cib::cli
