#include "environment_table.hpp"

#include <algorithm>
#include <array>
#include <iterator>

#include "container_ib/lending.hpp"
#include "container_ib/model.hpp"
#include "container_ib/task_folder.hpp"
#include "container_ib/text.hpp"

namespace cib {

namespace {

using In = EnvironmentInputs;

// ---- what the user has decided, or the site in his place
// -----------------------------------------------------------------------------

std::string_view decided_value(const In& in, std::string_view name) {
  if (const auto found = in.user.find(std::string(name)); found != in.user.end()) return found->second;
  for (const EnvironmentChange& change : in.site)
    if (change.name == name) return change.value;
  return {};
}

// UCX's names of InfiniBand transports and of aliases that contain one (ucp_tl_aliases in ucp_context.c).
bool names_infiniband(std::string_view transport) {
  if (transport.starts_with('\\')) transport.remove_prefix(1);  // '\' only stops the expansion of an alias
  for (const std::string_view prefix : {"rc", "ud", "dc", "ib", "all"})
    if (transport.starts_with(prefix)) return true;
  return transport.find('*') != std::string_view::npos;
}

struct Spellings {
  std::string_view all[4];  // a transport's own name and the aliases for it and others
};
constexpr std::array infiniband_transports = {
    Spellings{"rc_verbs", "rc_v", "rc", "ib"}, Spellings{"rc_mlx5", "rc_x", "rc", "ib"},
    Spellings{"ud_verbs", "ud_v", "ud", "ib"}, Spellings{"ud_mlx5", "ud_x", "ud", "ib"},
    Spellings{"dc_mlx5", "dc_x", "dc", "ib"}};
constexpr std::array cma = {Spellings{"cma", "sm", "shm"}};

using TransportNames = std::vector<std::string_view>;

bool contains_one_of(const TransportNames& names, const Spellings& transport) {
  return std::any_of(std::begin(transport.all), std::end(transport.all), [&](std::string_view name) {
    return !name.empty() && std::find(names.begin(), names.end(), name) != names.end();
  });
}

// Whether a list that begins with '^' leaves out all of these.
bool excludes(std::string_view list, std::span<const Spellings> transports) {
  const TransportNames names = split(list.substr(1), ',');
  return std::all_of(transports.begin(), transports.end(),
                     [&](const Spellings& transport) { return contains_one_of(names, transport); });
}

// UCX ANDs UCX_TLS with UCX_NET_DEVICES (ucp_is_resource_enabled), so with a user's UCX_TLS that leaves
// InfiniBand out our device list would leave no transport between nodes at all.
bool ucx_without_infiniband(const In& in) {
  const auto list = decided_value(in, "UCX_TLS");
  if (list.empty()) return false;
  if (list.starts_with('^')) return excludes(list, infiniband_transports);
  const TransportNames names = split(list, ',');
  return std::none_of(names.begin(), names.end(), names_infiniband);
}

// The user's UCX_TLS stays, and with it what ours would have left out.
bool ucx_keeps_cma(const In& in) {
  const auto list = decided_value(in, "UCX_TLS");
  if (!in.private_user_namespaces || list.empty()) return false;
  if (list.starts_with('^')) return !excludes(list, cma);
  const TransportNames names = split(list, ',');
  return contains_one_of(names, cma.front()) || std::find(names.begin(), names.end(), "all") != names.end();
}

// A list of devices, or of devices and ports, against one port. What has a wildcard is taken to fit.
bool names_port(std::string_view entry, std::string_view port) {
  return entry == port || entry == port.substr(0, port.rfind(':')) || entry == "all" ||
         entry.find_first_of("*?[") != std::string_view::npos;
}

// Only what the task is shown can be opened, whatever its user's list names.
bool names_none_shown(const In& in, const char* variable, char separator) {
  auto list = decided_value(in, variable);
  if (list.empty() || in.shown_ports.empty()) return false;
  const bool excluded = list.starts_with('^');
  const TransportNames names = split(excluded ? list.substr(1) : list, separator);
  return std::all_of(in.shown_ports.begin(), in.shown_ports.end(), [&](std::string_view port) {
    return excluded == std::any_of(names.begin(), names.end(),
                                   [&](std::string_view name) { return names_port(name, port); });
  });
}

bool ucx_names_none_shown(const In& in) { return names_none_shown(in, "UCX_NET_DEVICES", ','); }
bool mvapich_names_none_shown(const In& in) { return names_none_shown(in, "MV2_IBA_HCA", ':'); }

bool nccl_without_infiniband(const In& in) {
  const auto off = decided_value(in, "NCCL_IB_DISABLE");
  return !off.empty() && off != "0";
}

// ---- when
// --------------------------------------------------------------------------------------------------

bool always(const In&) { return true; }
bool required(const In& in) { return in.require; }
bool not_required(const In& in) { return !in.require; }
bool full_report(const In& in) { return in.report == ReportLevel::full; }
bool ucx_uses_infiniband(const In& in) { return !ucx_without_infiniband(in); }
bool more_rails_than_ucx_uses(const In& in) { return in.task_ports.size() > 2 && ucx_uses_infiniband(in); }
bool nccl_uses_infiniband(const In& in) { return !nccl_without_infiniband(in); }
bool over_ethernet(const In& in) { return in.ethernet; }
bool over_efa(const In& in) { return in.efa; }
bool over_verbs(const In& in) { return !in.efa; }
bool user_namespaces_differ(const In& in) { return in.private_user_namespaces; }

// ---- values
// ------------------------------------------------------------------------------------------------

std::string_view device_of(std::string_view port) { return port.substr(0, port.rfind(':')); }
std::string_view number_of(std::string_view port) { return port.substr(port.rfind(':') + 1); }

std::string mode(const In& in) { return std::string(in.task_ports.empty() ? "none" : mode_name(in.mode)); }
std::string netdev(const In& in) { return in.netdev; }
std::string address(const In& in) { return in.address; }
std::string peers(const In& in) { return in.peers; }
std::string numa(const In& in) { return in.numa; }
std::string plan(const In& in) { return in.plan; }
std::string first_port(const In& in) { return in.task_ports.front(); }
std::string port_count(const In& in) { return std::to_string(in.task_ports.size()); }

std::string all_node_ports(const In& in) {
  return join(in.node_ports.empty() ? in.task_ports : in.node_ports, ",");
}
std::string port_list(const In& in) { return join(in.task_ports, ","); }

// NCCL takes names as prefixes unless the list begins with '=': mlx5_1 would also select mlx5_10. All ranks
// of a node get the same list, because NCCL balances by itself and single ports would idle the others.
std::string nccl_ports(const In& in) { return "=" + all_node_ports(in); }

std::string nccl_topology(const In& in) { return in.nccl_topology; }

std::vector<std::string_view> devices(const In& in) {
  std::vector<std::string_view> list;
  for (const auto& port : in.task_ports)
    if (std::find(list.begin(), list.end(), device_of(port)) == list.end()) list.push_back(device_of(port));
  return list;
}

std::string device_list(const In& in) { return join(devices(in), ":"); }

std::string device_count(const In& in) {
  const auto count = devices(in).size();
  return count > 1 ? std::to_string(count) : std::string();
}

// MVAPICH2 has one port number for all devices.
std::string common_port_number(const In& in) {
  const auto number = number_of(in.task_ports.front());
  for (const auto& port : in.task_ports)
    if (number_of(port) != number) return {};
  return std::string(number);
}

// libfabric takes the name as a prefix, so one that begins another device's name would select both, be the
// other one down or Ethernet.
std::string unambiguous_device(const In& in) {
  const auto device = device_of(in.task_ports.front());
  for (const std::string_view other : in.node_devices)
    if (other != device && other.starts_with(device)) return {};
  return std::string(device);
}

std::string lent_libraries(const In& in) { return in.lent_providers.empty() ? "" : lent_folder; }
// libibverbs puts "-rdmav34.so" behind each (load_driver in libibverbs/dynamic_driver.c).
std::string lent_providers(const In& in) {
  std::vector<std::string> paths;
  for (const std::string& provider : in.lent_providers)
    paths.push_back(std::string(lent_folder) + "/lib" + provider);
  return join(paths, ":");
}

std::string number(const std::optional<unsigned>& value) { return value ? std::to_string(*value) : ""; }
std::string pkey_index(const In& in) { return number(in.pkey_index); }
std::string gid_index(const In& in) { return number(in.gid_index); }
std::string node_gid_index(const In& in) { return number(in.node_gid_index); }
std::string efa_devices(const In& in) { return join(devices(in), ","); }

// UCX wants the 15 bits of the partition without the membership bit.
std::string partition(const In& in) { return in.pkey ? pkey_text(*in.pkey & 0x7fffU) : std::string(); }
std::string pkey(const In& in) { return in.pkey ? pkey_text(*in.pkey) : std::string(); }

// The client must use the security module that the server names, whatever the image's defaults are.
std::string pmix_security(const In& in) { return std::string(decided_value(in, "PMIX_SECURITY_MODE")); }

constexpr std::array table = {
    Variable{"CONTAINER_IB_MODE", own_record, always, mode},
    Variable{"CONTAINER_IB_PORTS", own_record, always, port_list},
    Variable{"CONTAINER_IB_NETDEV", own_record, always, netdev},
    Variable{"CONTAINER_IB_ADDRESS", own_record, always, address},
    Variable{"CONTAINER_IB_PEERS", own_record, always, peers},
    Variable{"CONTAINER_IB_NUMA", own_record, always, numa},
    Variable{"CONTAINER_IB_PLAN", own_record, always, plan},

    // The task puts this before what the image has there.
    Variable{search_path, own_record, always, lent_libraries},
    // The image names its providers in files, if at all.
    Variable{"RDMAV_DRIVERS", own_record, always, lent_providers},

    // The list filters every network device, so naming HCA ports also keeps UCX off eth0 and ib0, while
    // shared memory and GPU transports stay. UCX_TLS is left alone: an explicit list would cut those off, and
    // releases before 1.12 do not know "^tcp".
    Variable{"UCX_NET_DEVICES", "ucx", ucx_uses_infiniband, port_list},
    Variable{"UCX_MAX_RNDV_RAILS", "ucx", more_rails_than_ucx_uses, port_count},
    Variable{"UCX_IB_PKEY", "ucx", ucx_uses_infiniband, partition},
    // By itself UCX tests the table too, but each process anew, and it takes a link-local GID as well.
    Variable{"UCX_IB_GID_INDEX", "ucx", ucx_uses_infiniband, gid_index},
    // Whether the tasks of a node will be in user namespaces of their own is not known for sure, so these two
    // change nothing between nodes. Before 1.16 UCX does not notice that the kernel refuses CMA between them,
    // and ends the program at the first large message.
    Variable{"UCX_TLS", "ucx", user_namespaces_differ, nullptr, "^cma"},
    // And it opens the other's shared memory by /proc/PID/fd, which is refused too, unless it is told to use
    // names (uct/sm/mm/posix; from 1.16 on it takes another way, with a line on stderr that calls it an
    // error).
    Variable{"UCX_POSIX_USE_PROC_LINK", "ucx", user_namespaces_differ, nullptr, "n"},

    // Without this pml/ucx yields to ob1 over TCP when /sys/class/infiniband/*/device/driver cannot be read.
    Variable{"OMPI_MCA_pml_ucx_devices", "ompi", always, nullptr, "any"},
    // Excluding is safe for components that a release does not have; including would abort. Without tcp, ob1
    // has no path between nodes, so a missing UCX is an error instead of a slow job. uct and ofi would be
    // second users of the same HCA that distributions exclude too; ofi asks the name service in MPI_Init.
    Variable{"OMPI_MCA_btl", "ompi", required, nullptr, "^openib,uct,ofi,tcp"},
    Variable{"OMPI_MCA_btl", "ompi", not_required, nullptr, "^openib,uct,ofi"},
    Variable{"OMPI_MCA_btl_vader_single_copy_mechanism", "ompi", user_namespaces_differ, nullptr, "none"},
    Variable{"OMPI_MCA_smsc", "ompi", user_namespaces_differ, nullptr, "^cma"},
    Variable{"OMPI_MCA_hook_comm_method_display", "ompi", full_report, nullptr, "mpi_init"},
    // Some distributions switch UCX off in openmpi-mca-params.conf (Debian: "pml = ^ucx", "osc =
    // ^ucx,pt2pt"), which only another value of the same variable undoes. Excluding ob1 leaves ucx and cm
    // (OFI, PSM2) and makes their absence an error; without require, "v" (message logging, never wanted here)
    // is excluded in place of ucx.
    Variable{"OMPI_MCA_pml", "ompi", required, nullptr, "^ob1"},
    Variable{"OMPI_MCA_pml", "ompi", not_required, nullptr, "^v"},
    Variable{"OMPI_MCA_osc", "ompi", required, nullptr, "^pt2pt"},

    // The only data store that every PMIx release has and that maps no file of the server.
    Variable{"PMIX_MCA_gds", "pmix", always, nullptr, "hash"},
    Variable{"PMIX_MCA_psec", "pmix", always, pmix_security},

    Variable{"NCCL_IB_HCA", "nccl", nccl_uses_infiniband, nccl_ports},
    Variable{"NCCL_TOPO_FILE", "nccl", nccl_uses_infiniband, nccl_topology},
    // Nothing refuses sockets and keeps a network plugin of the image: NCCL_NET names one network, plugins'
    // among them (ncclNetInit in plugin/net.cc), and with "IB" HPC-X's, and SHARP with it, would be thrown
    // out.
    Variable{"NCCL_IB_PKEY", "nccl", nccl_uses_infiniband, pkey_index},  // an index, where UCX has the key
    Variable{"NCCL_IB_GID_INDEX", "nccl", nccl_uses_infiniband, node_gid_index},

    Variable{"MV2_IBA_HCA", "mvapich", always, device_list},
    Variable{"MV2_NUM_HCAS", "mvapich", always, device_count},
    Variable{"MV2_DEFAULT_PORT", "mvapich", always, common_port_number},
    Variable{"MV2_DEFAULT_PKEY", "mvapich", always, pkey},
    Variable{"MV2_USE_RoCE", "mvapich", over_ethernet, nullptr, "1"},
    Variable{"MV2_DEFAULT_GID_INDEX", "mvapich", over_ethernet, gid_index},
    Variable{"MV2_SMP_USE_CMA", "mvapich", user_namespaces_differ, nullptr, "0"},

    Variable{"MPIR_CVAR_CH4_NETMOD", "mpich", required, nullptr, "ucx"},
    Variable{"I_MPI_FABRICS", "intelmpi", required, nullptr, "shm:ofi"},
    Variable{"I_MPI_OFI_PROVIDER", "intelmpi", always, nullptr, "mlx"},
    Variable{"FI_PROVIDER", "libfabric", over_verbs, nullptr, "verbs;ofi_rxm"},
    Variable{"FI_VERBS_DEVICE_NAME", "libfabric", over_verbs, unambiguous_device},
    // fi_efa(7). NCCL comes to EFA by a plugin over libfabric (aws-ofi-nccl), which reads them too.
    Variable{"FI_PROVIDER", "efa", over_efa, nullptr, "efa"},
    Variable{"FI_EFA_USE_DEVICE_RDMA", "efa", over_efa, nullptr, "1"},
    Variable{"FI_EFA_IFACE", "efa", over_efa, efa_devices},
    Variable{"NVSHMEM_HCA_LIST", "nvshmem", always, all_node_ports},
    Variable{"NVSHMEM_IB_GID_INDEX", "nvshmem", always, node_gid_index},
    Variable{"NVSHMEM_IB_PKEY_INDEX", "nvshmem", always, pkey_index},
    Variable{"NVSHMEM_REMOTE_TRANSPORT", "nvshmem", required, nullptr, "ibrc"},
    Variable{"HCOLL_MAIN_IB", "hcoll", always, first_port},
    Variable{"SHARP_COLL_IB_DEV_LIST", "hcoll", always, first_port},
    Variable{"PAMI_IBV_DEVICE_NAME", "pami", always, first_port},
};

constexpr std::array conflicts = {
    UserConflict{"ucx", ucx_without_infiniband,
                 "UCX_TLS is set without an InfiniBand transport, so UCX_NET_DEVICES is left alone"},
    UserConflict{"nccl", nccl_without_infiniband, "NCCL_IB_DISABLE is set, so NCCL_IB_HCA is left alone"},
    UserConflict{
        "ucx", ucx_keeps_cma,
        "the user's UCX_TLS leaves CMA on, which the kernel refuses between containers of their own, "
        "and UCX before 1.16 ends the program for it; add ^cma, or name posix,sysv in place of sm",
        true},
    UserConflict{"ucx", ucx_names_none_shown,
                 "the user's UCX_NET_DEVICES names none of the ports that this task has; leave it unset",
                 true},
    UserConflict{"mvapich", mvapich_names_none_shown,
                 "the user's MV2_IBA_HCA names none of the HCAs that this task has; leave it unset", true},
};

constexpr std::array<std::string_view, 5> read_only = {
    "NCCL_IB_DISABLE", "PMIX_SECURITY_MODE", pmix_version_variable, nodes_of_step, podman_settings_variable};

}  // namespace

std::span<const Variable> environment_table() { return table; }
std::span<const UserConflict> user_conflicts() { return conflicts; }
std::span<const std::string_view> variables_read_only() { return read_only; }

}  // namespace cib
