#include "nccl_topology.hpp"

#include <expat.h>

#include <algorithm>
#include <climits>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "container_ib/text.hpp"
#include "sysfs/attributes.hpp"

namespace cib {

namespace {

constexpr std::size_t max_depth = 64;  // of elements; real machines have some ten

using Parser = std::unique_ptr<XML_ParserStruct, void (*)(XML_Parser)>;
Parser make_parser() { return {XML_ParserCreate(nullptr), XML_ParserFree}; }

int length(std::string_view text) { return static_cast<int>(std::min<std::size_t>(text.size(), INT_MAX)); }

class Attributes {
 public:
  explicit Attributes(const XML_Char** list) : list_(list) {}
  // Empty when there is none of that name.
  std::string_view operator[](std::string_view name) const {
    for (const XML_Char** at = list_; *at != nullptr; at += 2)
      if (name == at[0]) return at[1];
    return {};
  }

 private:
  const XML_Char** list_;  // names and values in turn, as expat has them
};

// "00000000,ff000000", as /sys/devices/system/node/node0/cpumap: words of 32 bits, the highest first.
std::optional<CpuSet> parse_affinity(std::string_view text) {
  if (text.empty()) return CpuSet();
  std::string digits;
  for (const std::string_view word : split(text, ',')) {
    constexpr std::size_t digits_of_word = 8;
    if (word.empty() || word.size() > digits_of_word) return std::nullopt;
    if (!digits.empty()) digits.append(digits_of_word - word.size(), '0');
    digits += word;
  }
  const auto cpus = CpuSet::from_hex(digits);
  return cpus ? std::optional(*cpus) : std::nullopt;
}

// Of PCI class codes, "0x030200": the base class and the subclass.
unsigned class_of(std::string_view text) { return prefixed_hex<unsigned>(text).value_or(0) >> 8; }

bool is_gpu_class(unsigned code) {
  constexpr unsigned three_d = 0x0302, other_display = 0x0380,
                     accelerators = 0x12;  // PCI Code and ID Assignment
  return code == three_d || code == other_display || code >> 8 == accelerators;
}

bool is_network_class(unsigned code) {
  constexpr unsigned networks = 0x02, infiniband = 0x0c06;  // the latter of HCAs before PCI 2.3 knew better
  return code >> 8 == networks || code == infiniband;
}

class Reader {
 public:
  Reader() : parser_(make_parser()) {}

  Result<Inventory> read(std::string_view text) {
    if (!parser_) return error(Errc::kernel, "no memory for an XML parser");
    XML_SetUserData(parser_.get(), this);
    XML_SetElementHandler(parser_.get(), on_start, on_end);
    // It could declare entities; NCCL writes none and understands none.
    XML_SetStartDoctypeDeclHandler(
        parser_.get(), [](void* self, const XML_Char*, const XML_Char*, const XML_Char*, int) {
          static_cast<Reader*>(self)->fail("a document type, which NCCL's topology XML does not have");
        });
    if (XML_Parse(parser_.get(), text.data(), length(text), 1) != XML_STATUS_OK && problem_.empty())
      fail(XML_ErrorString(XML_GetErrorCode(parser_.get())));
    if (!problem_.empty()) return error(Errc::not_found, problem_);
    finish();
    return std::move(machine_);
  }

 private:
  enum class Kind { system, cpu, pci, gpu, nic, net, other };
  struct Element {
    Kind kind = Kind::other;
    std::size_t device = 0;  // of pci, in devices_
    std::size_t cpu = 0;     // in machine_.numa_nodes + 1; 0: unknown
  };
  struct Net {
    std::string name;
    unsigned port = 1;
    double rate_gbps = 0;
  };
  struct Device {
    PciAddress pci;
    unsigned code = 0;
    std::uint16_t vendor = 0;
    std::string model;
    double gbps = 0;
    std::vector<unsigned> numa;
    std::vector<std::string> path;
    bool holds_gpu = false, holds_nic = false, is_bridge = false;
    std::vector<Net> nets;
  };

  static void XMLCALL on_start(void* self, const XML_Char* name, const XML_Char** attributes) {
    static_cast<Reader*>(self)->start(name, Attributes(attributes));
  }
  static void XMLCALL on_end(void* self, const XML_Char*) {
    auto& stack = static_cast<Reader*>(self)->stack_;
    if (!stack.empty()) stack.pop_back();
  }

  void fail(const std::string& what) {
    if (!problem_.empty()) return;
    problem_ = "line " + std::to_string(XML_GetCurrentLineNumber(parser_.get())) + ": " + what;
    XML_StopParser(parser_.get(), XML_FALSE);
  }

  // What NCCL does not know at a place it passes over, with all that is in it.
  static Kind kind_of(std::string_view name, Kind parent) {
    if (name == "cpu" && parent == Kind::system) return Kind::cpu;
    if (name == "pci" && (parent == Kind::cpu || parent == Kind::pci)) return Kind::pci;
    if (name == "gpu" && parent == Kind::pci) return Kind::gpu;
    if (name == "nic" && (parent == Kind::cpu || parent == Kind::pci)) return Kind::nic;
    if (name == "net" && parent == Kind::nic) return Kind::net;
    return Kind::other;
  }

  void start(std::string_view name, const Attributes& attributes) {
    if (!problem_.empty()) return;
    if (stack_.size() == max_depth)
      return fail("elements in more than " + std::to_string(max_depth) + " others");
    Element element;
    if (stack_.empty()) {
      element.kind = Kind::system;
      if (name != "system" || attributes["version"] != "1")
        return fail("not a <system version=\"1\">, which NCCL's topology XML is");
    } else {
      element = stack_.back();
      element.kind = kind_of(name, stack_.back().kind);
    }
    switch (element.kind) {
      case Kind::cpu:
        enter_cpu(attributes, element);
        break;
      case Kind::pci:
        enter_pci(attributes, stack_.back(), element);
        break;
      case Kind::gpu:
        devices_[element.device].holds_gpu = true;
        break;
      case Kind::nic:
        if (stack_.back().kind == Kind::pci) devices_[element.device].holds_nic = true;
        break;
      case Kind::net:
        // Below a CPU itself are those that are no PCI devices.
        if (stack_.size() > 1 && stack_[stack_.size() - 2].kind == Kind::pci)
          enter_net(attributes, devices_[element.device]);
        break;
      case Kind::system:
      case Kind::other:
        break;
    }
    stack_.push_back(element);
  }

  void enter_cpu(const Attributes& attributes, Element& element) {
    const std::string host(attributes["host_hash"]);
    if (host_ && *host_ != host) return fail("the CPUs are of several machines (host_hash)");
    host_ = host;
    const std::string_view number = attributes["numaid"];
    const auto affinity = parse_affinity(attributes["affinity"]);
    if (!affinity) return fail("affinity='" + printable(attributes["affinity"]) + "' is no list of CPUs");
    element.cpu = 0;
    if (number == "-1") return;
    const auto numa = whole_number<std::uint16_t>(number);
    if (!numa) return fail("numaid='" + printable(number) + "' is no NUMA node");
    auto& nodes = machine_.numa_nodes;
    const auto known = std::find_if(nodes.begin(), nodes.end(),
                                    [&](const NumaNode& node) { return node.os_index == *numa; });
    element.cpu = static_cast<std::size_t>(known - nodes.begin()) + 1;
    if (known == nodes.end()) nodes.push_back({*numa, UINT_MAX, {}});
    for (const unsigned cpu : affinity->list()) {
      if (taken_.has(cpu)) continue;
      taken_.add(cpu);
      nodes[element.cpu - 1].cpus.add(cpu);
    }
  }

  // A switch is one element there. What is below it shares its port towards the CPU, and each has a port of
  // it below: that one switch is between two devices, or more, is then seen as in hwloc's paths.
  void enter_pci(const Attributes& attributes, const Element& parent, Element& element) {
    const auto pci = PciAddress::parse(attributes["busid"]);
    if (!pci) return fail("busid: " + pci.error().what);
    Device device;
    device.pci = *pci;
    device.code = class_of(attributes["class"]);
    device.vendor = prefixed_hex<std::uint16_t>(attributes["vendor"]).value_or(0);
    if (const auto number = prefixed_hex<std::uint16_t>(attributes["device"]); number && device.vendor != 0)
      device.model = hex(device.vendor, 4) + ':' + hex(*number, 4);
    device.gbps = parse_pci_speed(attributes["link_speed"], attributes["link_width"]);
    if (element.cpu != 0) device.numa = {machine_.numa_nodes[element.cpu - 1].os_index};
    if (parent.kind == Kind::pci) {
      Device& bridge = devices_[parent.device];
      bridge.is_bridge = true;
      device.path = bridge.path;
      device.path.push_back(bridge.pci.text());
      device.path.push_back(bridge.pci.text() + " to " + pci->text());
    } else {
      device.path = {"host of " + pci->text()};
    }
    element.device = devices_.size();
    devices_.push_back(std::move(device));
  }

  static void enter_net(const Attributes& attributes, Device& device) {
    Net net;
    net.name = attributes["name"];
    net.port = whole_number<std::uint8_t>(attributes["port"]).value_or(1);
    net.rate_gbps = whole_number<std::uint32_t>(attributes["speed"]).value_or(0) / 1000.0;
    if (!net.name.empty()) device.nets.push_back(std::move(net));
  }

  void finish() {
    auto& nodes = machine_.numa_nodes;
    std::sort(nodes.begin(), nodes.end(),
              [](const NumaNode& a, const NumaNode& b) { return a.os_index < b.os_index; });
    for (const NumaNode& node : nodes)
      for (const unsigned cpu : node.cpus.list()) {
        machine_.cores.emplace_back();
        machine_.cores.back().add(cpu);
      }
    for (const Device& device : devices_)
      if (!device.is_bridge && (device.holds_nic || is_network_class(device.code))) add_ports(device);
    add_gpus();
  }

  void add_ports(const Device& device) {
    Port port;
    port.device = device.pci.text();
    port.pci = device.pci;
    port.model = device.model;
    port.numa = device.numa;
    port.pci_path = device.path;
    port.pci_gbps = device.gbps;
    if (device.nets.empty()) machine_.ports.push_back(port);
    for (const Net& net : device.nets) {
      port.device = net.name;
      port.number = net.port;
      port.rate_gbps = net.rate_gbps;
      machine_.ports.push_back(port);
    }
  }

  // Of one vendor, as a GPU library numbers them; devices of unknown vendor are NVIDIA's, whose format this
  // is.
  void add_gpus() {
    const auto is_gpu = [](const Device& device) {
      return !device.is_bridge && (device.holds_gpu || is_gpu_class(device.code));
    };
    for (const std::uint16_t vendor : gpu_vendors) {
      for (const Device& device : devices_)
        if (is_gpu(device) && (device.vendor != 0 ? device.vendor : gpu_vendors.front()) == vendor)
          machine_.gpus.push_back({device.pci, device.numa, device.path, "", ""});
      if (!machine_.gpus.empty()) break;
    }
    std::sort(machine_.gpus.begin(), machine_.gpus.end(),
              [](const Gpu& a, const Gpu& b) { return a.pci < b.pci; });
  }

  Parser parser_;
  std::string problem_;
  std::vector<Element> stack_;
  std::vector<Device> devices_;
  CpuSet taken_;
  std::optional<std::string> host_;
  Inventory machine_;
};

struct Where {
  std::vector<unsigned> numa;
  std::vector<std::string> path;
  double gbps = 0;
};

}  // namespace

bool is_nccl_topology(std::string_view beginning) {
  const Parser parser = make_parser();
  if (!parser) return false;
  struct Found {
    XML_Parser parser = nullptr;
    bool system = false;
  } found{parser.get()};
  XML_SetUserData(parser.get(), &found);
  XML_SetStartElementHandler(parser.get(), [](void* data, const XML_Char* name, const XML_Char**) {
    auto& first = *static_cast<Found*>(data);
    first.system = std::strcmp(name, "system") == 0;
    XML_StopParser(first.parser, XML_FALSE);
  });
  (void)XML_Parse(parser.get(), beginning.data(), length(beginning), 0);
  return found.system;
}

Result<Inventory> parse_nccl_topology(std::string_view text) { return Reader().read(text); }

void locate_by_nccl(const Inventory& description, Inventory& node) {
  std::map<PciAddress, Where> places;
  for (const Gpu& gpu : description.gpus) places.emplace(gpu.pci, Where{gpu.numa, gpu.pci_path});
  for (const Port& port : description.ports)
    if (port.pci) places.emplace(*port.pci, Where{port.numa, port.pci_path, port.pci_gbps});
  const auto move = [&](const Where& place, std::vector<unsigned>& numa, std::vector<std::string>& path) {
    path = place.path;
    const bool exists = std::any_of(node.numa_nodes.begin(), node.numa_nodes.end(), [&](const NumaNode& one) {
      return !place.numa.empty() && one.os_index == place.numa.front();
    });
    if (exists) numa = place.numa;
  };
  for (Port& port : node.ports) {
    const auto place = port.pci ? places.find(*port.pci) : places.end();
    if (place == places.end()) continue;
    move(place->second, port.numa, port.pci_path);
    if (port.pci_gbps == 0) port.pci_gbps = place->second.gbps;
  }
  for (Gpu& gpu : node.gpus)
    if (const auto place = places.find(gpu.pci); place != places.end())
      move(place->second, gpu.numa, gpu.pci_path);
}

}  // namespace cib
