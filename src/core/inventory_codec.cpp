// An inventory as text: one line per object, fields between blanks, lists between commas, anything unusual in
// a string as %XX, an empty field as "-". For a cache and for a pipe, so it is read as strictly as any input.
#include <array>
#include <charconv>
#include <climits>

#include "container_ib/inventory.hpp"
#include "container_ib/text.hpp"

namespace cib {

namespace {

constexpr std::string_view heading = "container-ib inventory 3";

// ---- writing
// -----------------------------------------------------------------------------------------------

class Writer {
 public:
  void begin(std::string_view kind) { text_ += kind; }
  void end() { text_ += '\n'; }

  void add(const std::string& text) {
    text_ += ' ';
    if (text.empty()) text_ += '-';
    escape(text);
  }
  void add(std::uint64_t number) { add_plain(std::to_string(number)); }
  void add(double number) {
    std::array<char, 40> digits{};
    const auto [end, errc] = std::to_chars(digits.data(), digits.data() + digits.size(), number);
    add_plain(std::string_view(digits.data(), static_cast<std::size_t>(end - digits.data())));
  }
  void add(const CpuSet& set) { add_plain(set.hex()); }
  void add(const std::optional<PciAddress>& pci) { add_plain(pci ? pci->text() : "-"); }
  void add(const std::optional<std::uint64_t>& number) { add_plain(number ? std::to_string(*number) : "-"); }
  template <class T>
  void add_list(const std::vector<T>& values) {
    text_ += ' ';
    if (values.empty()) text_ += '-';
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (i > 0) text_ += ',';
      if constexpr (std::is_same_v<T, std::string>)
        values[i].empty() ? void(text_ += '-') : escape(values[i]);
      else if constexpr (std::is_same_v<T, Gid>)
        (((text_ += std::to_string(values[i].index)) += ':') +=
         std::to_string(static_cast<unsigned>(values[i].type))) += ':',
            escape(values[i].text);
      else
        text_ += std::to_string(values[i]);
    }
  }

  std::string text() && { return std::move(text_); }

 private:
  void add_plain(std::string_view text) { (text_ += ' ') += text; }
  void escape(const std::string& text) { text_ += text == "-" ? "%2d" : percent_encoded(text, "_.:-"); }
  std::string text_;
};

// ---- reading: every function answers false for what no Writer writes
// ---------------------------------------

bool read(std::string_view field, std::string& text) {
  const auto decoded = percent_decoded(field == "-" ? "" : field);
  if (decoded) text = *decoded;
  return decoded.has_value();
}

template <class T>
requires std::is_unsigned_v<T>
bool read(std::string_view field, T& number) {
  const auto value = whole_number<T>(field);
  if (value) number = *value;
  return value.has_value();
}

bool read(std::string_view field, double& number) {
  const auto [end, errc] = std::from_chars(field.data(), field.data() + field.size(), number);
  return errc == std::errc{} && end == field.data() + field.size();
}

bool read(std::string_view field, CpuSet& set) {
  const auto parsed = CpuSet::from_hex(field);
  if (parsed) set = *parsed;
  return parsed.ok();
}

bool read(std::string_view field, PciAddress& pci) {
  const auto parsed = PciAddress::parse(field);
  if (parsed) pci = *parsed;
  return parsed.ok();
}

bool read(std::string_view field, bool& flag) {
  flag = field == "1";
  return flag || field == "0";
}

bool read(std::string_view field, Gid& gid) {
  const auto colon = field.find(':'), second = field.find(':', colon + 1);
  unsigned type = 0;
  if (colon == std::string_view::npos || second == std::string_view::npos ||
      !read(field.substr(colon + 1, second - colon - 1), type))
    return false;
  gid.type = type <= static_cast<unsigned>(GidType::roce_v2) ? static_cast<GidType>(type) : GidType::unknown;
  return read(field.substr(0, colon), gid.index) && read(field.substr(second + 1), gid.text);
}

template <class T>
bool read(std::string_view field, std::optional<T>& value) {
  if (field == "-") return true;
  return read(field, value.emplace());
}

template <class T>
bool read(std::string_view field, std::vector<T>& values) {
  if (field == "-") return true;
  for (const auto part : split(field, ','))
    if (!read(part, values.emplace_back())) return false;
  return true;
}

// An enumeration by its number; one that this version does not know is unknown.
template <class Enum>
bool read_enum(std::string_view field, Enum& value, Enum last) {
  unsigned number = 0;
  if (!read(field, number)) return false;
  value = number <= static_cast<unsigned>(last) ? static_cast<Enum>(number) : Enum::unknown;
  return true;
}

using Words = std::vector<std::string_view>;

bool read_numa(const Words& f, Inventory& inventory) {
  auto& node = inventory.numa_nodes.emplace_back();
  return f.size() == 4 && read(f[1], node.os_index) && read(f[2], node.package) && read(f[3], node.cpus);
}

bool read_slit(const Words& f, Inventory& inventory) {
  return f.size() == 2 && read(f[1], inventory.distances.emplace_back());
}

bool read_core(const Words& f, Inventory& inventory) {
  return f.size() == 2 && read(f[1], inventory.cores.emplace_back());
}

bool read_gpu(const Words& f, Inventory& inventory) {
  auto& gpu = inventory.gpus.emplace_back();
  return f.size() == 6 && read(f[1], gpu.pci) && read(f[2], gpu.numa) && read(f[3], gpu.pci_path) &&
         read(f[4], gpu.name) && read(f[5], gpu.uuid);
}

bool read_port(const Words& f, Inventory& inventory) {
  auto& p = inventory.ports.emplace_back();
  return f.size() == 25 && read(f[1], p.device) && read(f[2], p.number) && read(f[3], p.pci) &&
         read(f[4], p.physfn) && read(f[5], p.driver) && read(f[6], p.numa) && read(f[7], p.pci_path) &&
         read(f[8], p.pci_gbps) && read_enum(f[9], p.state, PortState::active_defer) &&
         read_enum(f[10], p.phys_state, PhysState::phy_test) &&
         read_enum(f[11], p.link_layer, LinkLayer::ethernet) && read(f[12], p.rate_gbps) &&
         read(f[13], p.lid) && read(f[14], p.sm_lid) && read(f[15], p.node_guid) &&
         read(f[16], p.sys_image_guid) && read(f[17], p.port_guid) && read(f[18], p.subnet_prefix) &&
         read(f[19], p.pkeys) && read(f[20], p.netdevs) && read(f[21], p.gids) && read(f[22], p.model) &&
         read(f[23], p.without_gid) && read(f[24], p.uverbs);
}

struct Kind {
  std::string_view name;
  bool (*read)(const Words&, Inventory&);
};

constexpr std::array kinds = {Kind{"numa", read_numa}, Kind{"slit", read_slit}, Kind{"core", read_core},
                              Kind{"gpu", read_gpu}, Kind{"port", read_port}};

void write_port(Writer& writer, const Port& port) {
  writer.begin("port");
  writer.add(port.device);
  writer.add(std::uint64_t{port.number});
  writer.add(port.pci);
  writer.add(port.physfn);
  writer.add(port.driver);
  writer.add_list(port.numa);
  writer.add_list(port.pci_path);
  writer.add(port.pci_gbps);
  writer.add(std::uint64_t{static_cast<unsigned>(port.state)});
  writer.add(std::uint64_t{static_cast<unsigned>(port.phys_state)});
  writer.add(std::uint64_t{static_cast<unsigned>(port.link_layer)});
  writer.add(port.rate_gbps);
  writer.add(std::uint64_t{port.lid});
  writer.add(std::uint64_t{port.sm_lid});
  writer.add(port.node_guid);
  writer.add(port.sys_image_guid);
  writer.add(port.port_guid);
  writer.add(port.subnet_prefix);
  writer.add_list(port.pkeys);
  writer.add_list(port.netdevs);
  writer.add_list(port.gids);
  writer.add(port.model);
  writer.add(std::uint64_t{port.without_gid});
  writer.add(port.uverbs ? std::optional<std::uint64_t>(*port.uverbs) : std::nullopt);
  writer.end();
}

}  // namespace

std::string encode_inventory(const Inventory& inventory) {
  Writer writer;
  writer.begin(heading);
  writer.end();
  for (const auto& node : inventory.numa_nodes) {
    writer.begin("numa");
    writer.add(std::uint64_t{node.os_index});
    writer.add(std::uint64_t{node.package});
    writer.add(node.cpus);
    writer.end();
  }
  for (const auto& row : inventory.distances) {
    writer.begin("slit");
    writer.add_list(row);
    writer.end();
  }
  for (const auto& core : inventory.cores) {
    writer.begin("core");
    writer.add(core);
    writer.end();
  }
  for (const auto& gpu : inventory.gpus) {
    writer.begin("gpu");
    writer.add(std::optional(gpu.pci));
    writer.add_list(gpu.numa);
    writer.add_list(gpu.pci_path);
    writer.add(gpu.name);
    writer.add(gpu.uuid);
    writer.end();
  }
  for (const auto& port : inventory.ports) write_port(writer, port);
  return std::move(writer).text();
}

Result<Inventory> decode_inventory(std::string_view text) {
  Inventory inventory;
  const auto lines = split(text, '\n');
  const auto broken = [](std::size_t line) {
    return error(Errc::corrupt, "inventory: line " + std::to_string(line) + " is not one");
  };
  if (lines.size() < 2 || lines[0] != heading || !lines.back().empty()) return broken(1);
  for (std::size_t i = 1; i + 1 < lines.size(); ++i) {
    const Words fields = split(lines[i], ' ');
    bool good = false;
    for (const auto& kind : kinds)
      if (kind.name == fields[0]) good = kind.read(fields, inventory);
    if (!good) return broken(i + 1);
  }
  return inventory;
}

}  // namespace cib
