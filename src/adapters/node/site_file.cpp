#include "adapters/node/site_file.hpp"

#include "adapters/linux/bounded_read.hpp"
#include "adapters/linux/trusted_file.hpp"

namespace cib {

namespace {

constexpr std::size_t max_size = 1 << 20;

Result<std::string> read_file(const std::string& path) {
  auto text = read_small_file(path, max_size);
  if (text) return text;
  const int why = text.error().sys_errno;
  if (why == 0) return error(Errc::bad_config, path + " is larger than 1 MiB");
  return error(Errc::not_found, "cannot read " + path, why);
}

}  // namespace

Result<SiteFile> read_site_file(const std::string& named) {
  SiteFile file{.path = named.empty() ? usual_site_file : named};
  const auto text = read_trusted_file(file.path);
  if (!text && named.empty() && text.error().code == Errc::not_found) {
    file.found = false;
    return file;
  }
  if (!text) return text.error();
  CIB_TRY(file.site, parse_config(*text, file.path));
  return file;
}

Result<SiteConfig> look_at_site_file(const std::string& path) {
  CIB_TRY(const std::string text, read_file(path));
  return parse_config(text, path);
}

namespace {

Status is_usable_topology(const SiteConfig& site) {
  CIB_CHECK(check_trusted_file(site.topology_xml));
  CIB_TRY(const bool by_nccl, is_nccl_file(site.topology_xml));
  return site.hand_to_nccl && !by_nccl ? not_for_nccl(site) : Status();
}

}  // namespace

Error not_for_nccl(const SiteConfig& site) {
  return error(Errc::bad_config, "topology.hand_to_nccl: " + site.topology_xml +
                                     " is hwloc's, and NCCL reads its own topology XML only");
}

Status check_topology_file(const SiteConfig& site, const std::string& path) {
  if (site.topology_xml.empty()) return {};
  auto status = is_usable_topology(site);
  if (status) return {};
  return std::move(status).error().in(path + ":" + std::to_string(site.topology_xml_line) + ": topology.xml");
}

InventorySource inventory_source(const SiteConfig& site) {
  InventorySource source;
  if (site.topology_xml.empty()) return source;
  source.kind = InventorySource::Kind::xml;
  source.path = site.topology_xml;
  source.sysfs = "/sys";
  return source;
}

}  // namespace cib
