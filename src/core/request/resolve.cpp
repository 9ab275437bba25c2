#include <algorithm>

#include "container_ib/config.hpp"
#include "container_ib/model.hpp"
#include "container_ib/text.hpp"

namespace cib {

namespace {

Error refuse(const std::string& what) { return error(Errc::bad_request, "--container-ib: " + what); }

std::string mode_list(const std::vector<Mode>& modes) {
  std::vector<std::string_view> names;
  for (const Mode mode : modes) names.push_back(mode_name(mode));
  return join(names);
}

Result<Mode> choose_mode(Mode asked, const SiteConfig& site) {
  if (asked == Mode::none) return asked;
  if (asked == Mode::auto_) {
    if (!site.auto_modes.empty()) return site.auto_modes.front();
    return refuse("auto: this site's configuration names no mode for auto; allowed: " +
                  mode_list(site.modes));
  }
  if (is_allowed(asked, site)) return asked;
  return refuse("mode " + std::string(mode_name(asked)) + " is not allowed at this site; allowed: auto, " +
                mode_list(site.modes) + ", none");
}

// What only the user's own words are checked for; the site may set anything.
Status check_user(const Request& request, const SiteConfig& site) {
  for (const auto& key : site.forbid)
    if (key_is_given(request, key)) return refuse("key '" + key + "' is not allowed at this site");
  if (request.umad.value_or(false) && !site.allow_umad)
    return refuse("umad=yes is not allowed at this site; allowed: umad=no");
  if (request.inject.value_or(Inject::no) != Inject::no && !site.allow_inject)
    return refuse("inject=providers is not allowed at this site; allowed: inject=no");
  if (!request.pkey) return {};
  // The port's table, not the request, decides the membership (bit 15), so it does not count here.
  std::vector<std::string> allowed;
  for (const std::uint16_t pkey : site.pkeys) {
    if (same_partition(pkey, *request.pkey)) return {};
    allowed.push_back(pkey_text(pkey));
  }
  return refuse("pkey=" + pkey_text(*request.pkey) +
                " is not allowed at this site; allowed: " + (allowed.empty() ? "none" : join(allowed)));
}

}  // namespace

bool is_allowed(Mode mode, const SiteConfig& site) {
  return std::find(site.modes.begin(), site.modes.end(), mode) != site.modes.end();
}

Result<Settings> resolve(const Request& request, const SiteConfig& site, AskedBy by) {
  CIB_TRY(const Mode mode, choose_mode(request.mode, site));
  if (by == AskedBy::user) CIB_CHECK(check_user(request, site));

  Request merged = request;
  Settings settings;
  settings.mode = mode;
  for (const auto& rule : site.defaults)
    if (!key_is_given(request, rule.key)) CIB_CHECK(set_key(merged, rule.key, rule.value));
  for (const auto& rule : site.force) CIB_CHECK(set_key(merged, rule.key, rule.value));

  settings.require = merged.require.value_or(request.mode != Mode::auto_ && request.mode != Mode::none);
  settings.rails = merged.rails.value_or(settings.rails);
  settings.hca = merged.hca.value_or(settings.hca);
  settings.place = merged.place.value_or(settings.place);
  settings.fabric = merged.fabric.value_or(settings.fabric);
  settings.roce = merged.roce.value_or(settings.roce);
  settings.gpu = merged.gpu.value_or(settings.gpu);
  settings.scope = merged.scope.value_or(settings.scope);
  settings.pkey = merged.pkey;
  settings.mtu = merged.mtu;
  settings.env = merged.env.value_or(settings.env);
  settings.report = merged.report.value_or(settings.report);
  settings.umad = merged.umad.value_or(settings.umad);
  settings.inject = merged.inject.value_or(settings.inject);
  settings.batch = merged.batch.value_or(settings.batch);
  settings.wait_s = merged.wait_s.value_or(settings.wait_s);
  settings.folder = merged.folder.value_or(settings.folder);
  return settings;
}

std::vector<std::string> forced_over(const Request& request, const SiteConfig& site) {
  std::vector<std::string> lines;
  for (const auto& rule : site.force) {
    Request forced = request;
    if (key_is_given(request, rule.key) && set_key(forced, rule.key, rule.value).ok() && forced != request)
      lines.push_back("this site sets " + rule.key + "=" + rule.value +
                      " for every job, so yours does not count");
  }
  return lines;
}

}  // namespace cib
