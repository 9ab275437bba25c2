#include "pmix_versions.hpp"

#include <algorithm>
#include <compare>
#include <optional>

#include "container_ib/text.hpp"

namespace cib {

namespace {

struct PmixVersion {
  unsigned series = 0, minor = 0, release = 0;

  auto operator<=>(const PmixVersion&) const = default;
};

// "4.2.2rc2"
std::optional<PmixVersion> parse_version(std::string_view text) {
  const auto parts = split(text, '.');
  if (parts.size() < 2) return std::nullopt;
  const auto number = [](std::string_view part) {
    const auto end = std::find_if(part.begin(), part.end(), [](char c) { return c < '0' || c > '9'; });
    return whole_number<unsigned>(part.substr(0, static_cast<std::size_t>(end - part.begin())));
  };
  const auto series = number(parts[0]), minor = number(parts[1]);
  if (!series || !minor) return std::nullopt;
  return PmixVersion{*series, *minor, parts.size() > 2 ? number(parts[2]).value_or(0) : 0};
}

// Since when each series knows the others (PMIx' FAQ, "How does PMIx work with containers?", and the Cross
// PmixVersion Matrix in Open MPI's wiki).
bool knows_others(const PmixVersion& v) {
  if (v.series == 1) return v >= PmixVersion{1, 2, 5};
  if (v.series == 2 && v.minor == 0) return v.release >= 3;
  return v >= PmixVersion{2, 1, 1};
}

// The one transport of series 1 is a Unix socket, which servers offer no more from 3 on.
bool have_a_transport(const PmixVersion& client, const PmixVersion& server) {
  return client.series >= 2 || server.series < 3;
}

}  // namespace

bool pmix_can_talk(std::string_view client_text, std::string_view server_text) {
  const auto client = parse_version(client_text), server = parse_version(server_text);
  if (!client || !server) return true;
  if (client->series == server->series && client->minor == server->minor) return true;
  return knows_others(*client) && knows_others(*server) && have_a_transport(*client, *server);
}

}  // namespace cib
