#include "container_ib/environment.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "container_ib/text.hpp"
#include "support/node_builder.hpp"

namespace cib {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

EnvironmentInputs inputs() {
  EnvironmentInputs in;
  in.task_ports = {"mlx5_1:1"};
  in.node_ports = {"mlx5_0:1", "mlx5_1:1"};
  in.numa = "1";
  in.plan = "0123abcd";
  return in;
}

std::map<std::string, std::string> variables(const EnvironmentInputs& in) {
  std::map<std::string, std::string> set;
  for (const auto& change : build_environment(in).set) {
    EXPECT_FALSE(set.contains(change.name)) << change.name << " is set twice";
    set[change.name] = change.value;
  }
  return set;
}

std::string value(const EnvironmentInputs& in, const std::string& name) {
  const auto set = variables(in);
  const auto found = set.find(name);
  return found == set.end() ? "(unset)" : found->second;
}

TEST(Environment, AutoSetsWhatIsHarmlessWhereTheStackIsAbsent) {
  const std::map<std::string, std::string> expected = {{"CONTAINER_IB_MODE", "verbs"},
                                                       {"CONTAINER_IB_PORTS", "mlx5_1:1"},
                                                       {"CONTAINER_IB_NUMA", "1"},
                                                       {"CONTAINER_IB_PLAN", "0123abcd"},
                                                       {"UCX_NET_DEVICES", "mlx5_1:1"},
                                                       {"OMPI_MCA_pml_ucx_devices", "any"},
                                                       {"OMPI_MCA_btl", "^openib,uct,ofi"},
                                                       {"OMPI_MCA_pml", "^v"},
                                                       {"PMIX_MCA_gds", "hash"},
                                                       {"NCCL_IB_HCA", "=mlx5_0:1,mlx5_1:1"},
                                                       {"MV2_IBA_HCA", "mlx5_1"},
                                                       {"MV2_DEFAULT_PORT", "1"}};
  EXPECT_EQ(variables(inputs()), expected);
}

// What each stack gets, whole, so that neither a variable too many nor one too few passes unseen. `required`
// is what require=yes adds or changes: that no stack then falls back to something slower in silence.
struct Stack {
  const char* profile;
  std::map<std::string, std::string> always, required;
};

void PrintTo(const Stack& stack, std::ostream* out) { *out << stack.profile; }

class EachStack : public testing::TestWithParam<Stack> {};

TEST_P(EachStack, GetsItsVariables) {
  auto in = inputs();
  in.profiles = {GetParam().profile};
  const auto stack_variables = [&] {
    auto set = variables(in);
    std::erase_if(set, [](const auto& entry) { return entry.first.starts_with("CONTAINER_IB_"); });
    return set;
  };
  EXPECT_EQ(stack_variables(), GetParam().always);
  in.require = true;
  auto expected = GetParam().always;
  for (const auto& [name, text] : GetParam().required) expected[name] = text;
  EXPECT_EQ(stack_variables(), expected) << "require=yes";
}

INSTANTIATE_TEST_SUITE_P(
    Profiles, EachStack,
    testing::Values(
        // Naming HCA ports alone keeps UCX off TCP, with or without require.
        Stack{"ucx", {{"UCX_NET_DEVICES", "mlx5_1:1"}}, {}},
        // Without the first, pml/ucx silently yields to TCP where sysfs of the device cannot be read.
        Stack{
            "ompi",
            {{"OMPI_MCA_pml_ucx_devices", "any"},
             {"OMPI_MCA_btl", "^openib,uct,ofi"},
             {"OMPI_MCA_pml", "^v"}},
            {{"OMPI_MCA_btl", "^openib,uct,ofi,tcp"}, {"OMPI_MCA_pml", "^ob1"}, {"OMPI_MCA_osc", "^pt2pt"}}},
        Stack{"pmix", {{"PMIX_MCA_gds", "hash"}}, {}},
        Stack{"nccl", {{"NCCL_IB_HCA", "=mlx5_0:1,mlx5_1:1"}}, {}},
        Stack{"mvapich", {{"MV2_IBA_HCA", "mlx5_1"}, {"MV2_DEFAULT_PORT", "1"}}, {}},
        Stack{"mpich", {{"UCX_NET_DEVICES", "mlx5_1:1"}}, {{"MPIR_CVAR_CH4_NETMOD", "ucx"}}},
        Stack{"intelmpi",
              {{"UCX_NET_DEVICES", "mlx5_1:1"}, {"I_MPI_OFI_PROVIDER", "mlx"}},
              {{"I_MPI_FABRICS", "shm:ofi"}}},
        Stack{"libfabric", {{"FI_PROVIDER", "verbs;ofi_rxm"}, {"FI_VERBS_DEVICE_NAME", "mlx5_1"}}, {}},
        Stack{"nvshmem", {{"NVSHMEM_HCA_LIST", "mlx5_0:1,mlx5_1:1"}}, {{"NVSHMEM_REMOTE_TRANSPORT", "ibrc"}}},
        Stack{"hcoll", {{"HCOLL_MAIN_IB", "mlx5_1:1"}, {"SHARP_COLL_IB_DEV_LIST", "mlx5_1:1"}}, {}},
        Stack{"pami", {{"PAMI_IBV_DEVICE_NAME", "mlx5_1:1"}}, {}}));

TEST(Environment, RequireClosesEveryFallBack) {
  auto in = inputs();
  in.require = true;
  EXPECT_EQ(value(in, "OMPI_MCA_btl"), "^openib,uct,ofi,tcp");
  EXPECT_EQ(value(in, "NCCL_NET"), "(unset)") << "it would throw a network plugin of the image out";
  EXPECT_EQ(value(in, "UCX_TLS"), "(unset)") << "a list would cut off shared memory and GPUs";
  EXPECT_EQ(value(in, "OMPI_MCA_pml"), "^ob1") << "UCX, OFI and PSM2 stay";
  in.profiles = {"mpich"};
  EXPECT_EQ(value(in, "MPIR_CVAR_CH4_NETMOD"), "ucx");
  EXPECT_EQ(value(in, "UCX_NET_DEVICES"), "mlx5_1:1") << "implied profile";
}

TEST(Environment, NcclHasTheNodesTopologyWhereTheSiteHandsItOn) {
  SiteConfig site;
  site.topology_xml = "/etc/nccl.xml";
  EXPECT_EQ(nccl_topology_of(site), "");
  site.hand_to_nccl = true;
  auto in = inputs();
  EXPECT_EQ(value(in, "NCCL_TOPO_FILE"), "(unset)");
  in.nccl_topology = nccl_topology_of(site);
  EXPECT_EQ(value(in, "NCCL_TOPO_FILE"), "/etc/nccl.xml");
  in.user["NCCL_IB_DISABLE"] = "1";
  EXPECT_EQ(value(in, "NCCL_TOPO_FILE"), "(unset)");
}

TEST(Environment, NoneLeavesOnlyOurOwnRecord) {
  auto in = inputs();
  in.profiles = {"none"};
  for (const auto& [name, text] : variables(in)) EXPECT_TRUE(name.starts_with("CONTAINER_IB_")) << name;
  EXPECT_EQ(variables(in).size(), 4U);
  in.mode = Mode::none;
  EXPECT_THAT(build_environment(in).set, IsEmpty());
}

TEST(Environment, WithoutAPortNothingPretendsToBeThere) {
  auto in = inputs();
  in.task_ports = {};
  in.numa = "";
  const std::map<std::string, std::string> expected = {{"CONTAINER_IB_MODE", "none"},
                                                       {"CONTAINER_IB_PLAN", "0123abcd"}};
  EXPECT_EQ(variables(in), expected);
}

TEST(Environment, EveryVariableOfTheUserStays) {
  const auto in_auto = inputs();
  for (const auto& [name, text] : variables(in_auto)) {
    if (name.starts_with("CONTAINER_IB_")) continue;
    auto in = inputs();
    in.user[name] = "mine";
    EXPECT_EQ(value(in, name), "(unset)") << name;
    EXPECT_THAT(build_environment(in).kept, ElementsAre(name));
    EXPECT_THAT(environment_inputs(), Contains(name));
  }
  auto in = inputs();
  in.user["CONTAINER_IB_PORTS"] = "forged:1";
  EXPECT_EQ(value(in, "CONTAINER_IB_PORTS"), "mlx5_1:1") << "our own record is ours";
  in.user["UCX_NET_DEVICES"] = "";
  EXPECT_EQ(value(in, "UCX_NET_DEVICES"), "(unset)") << "set to nothing is set";
}

// A task sends what the user has set of these: a message each.
TEST(Environment, OfTheUserEachVariableIsAskedForOnce) {
  const auto& names = environment_inputs();
  EXPECT_EQ(std::set<std::string_view>(names.begin(), names.end()).size(), names.size());
  for (const auto name : names) EXPECT_FALSE(name.starts_with("CONTAINER_IB_")) << name;
  for (const char* name : {"NCCL_IB_DISABLE", "PMIX_SECURITY_MODE", "SLURM_STEP_NODELIST"})
    EXPECT_THAT(names, Contains(name)) << "looked at, never set";
}

TEST(Environment, AUsersTcpIsNotTurnedIntoNoTransport) {
  const std::pair<const char*, bool> lists[] = {{"tcp", false},
                                                {"tcp,sm,self", false},
                                                {"sm,self", false},
                                                {"^ib", false},
                                                {"^tcp", true},
                                                {"tcp,rc", true},
                                                {"all", true},
                                                {"rc_x,sm", true},
                                                {"\\rc_v,sm", true},
                                                {"ib,sm", true},
                                                {"ud_verbs:aux", true},
                                                {"dc", true},
                                                {"^cma", true},
                                                {"", true},
                                                {"^rc,ud,dc", false},
                                                {"^tcp,rc,ud,dc", false},
                                                {"^rc,ud", true},
                                                {"^dc", true},
                                                {"^rc_x,rc_v,ud_x,ud_verbs,dc_mlx5", false},
                                                {"^rc_x,ud_x,dc_x", true}};
  for (const auto& [list, ours] : lists) {
    auto in = inputs();
    in.user["UCX_TLS"] = list;
    EXPECT_EQ(value(in, "UCX_NET_DEVICES"), ours ? "mlx5_1:1" : "(unset)") << list;
    const auto notes = build_environment(in).notes;
    if (ours)
      EXPECT_THAT(notes, IsEmpty()) << list;
    else
      EXPECT_THAT(notes, ElementsAre(HasSubstr("UCX_TLS is set without an InfiniBand transport")));
  }
}

TEST(Environment, NcclSwitchedOffByTheUserStaysOff) {
  auto in = inputs();
  in.require = true;
  in.user["NCCL_IB_DISABLE"] = "1";
  EXPECT_EQ(value(in, "NCCL_IB_HCA"), "(unset)");
  in.user["NCCL_IB_DISABLE"] = "0";
  EXPECT_EQ(value(in, "NCCL_IB_HCA"), "=mlx5_0:1,mlx5_1:1");
}

// Two Ethernet ports whose GIDs are as Linux fills the table: link-local and IPv4, v1 and v2 of each.
Inventory roce_node() {
  Inventory node = test::numa_node(2);
  node.ports = {test::port("mlx5_0", "0000:18:00.0", {0}), test::port("mlx5_1", "0000:86:00.0", {1})};
  for (Port& port : node.ports) {
    port.link_layer = LinkLayer::ethernet;
    port.gids = {{0, "fe80:0000:0000:0000:0e42:a1ff:fe00:0001", GidType::ib_or_v1},
                 {1, "fe80:0000:0000:0000:0e42:a1ff:fe00:0001", GidType::roce_v2},
                 {2, "0000:0000:0000:0000:0000:ffff:0a00:0001", GidType::ib_or_v1},
                 {3, "0000:0000:0000:0000:0000:ffff:0a00:0001", GidType::roce_v2}};
  }
  return node;
}

std::string of_task(const Inventory& node, const Settings& settings, const std::string& name) {
  SiteConfig site;
  site.drivers = {};
  const auto assignment = place(node, test::tasks_on({0}), placement_options(settings, site, "n0"));
  auto in = inputs_of_task(settings, node, assignment, assignment.tasks[0].ports, {});
  in.profiles = {"ucx", "nccl", "nvshmem", "mvapich", "efa", "libfabric"};
  return value(in, name);
}

TEST(Environment, RoceHasTheIndexOfAGidThatIsRouted) {
  Inventory node = roce_node();
  Settings settings;
  settings.roce = Roce::yes;
  settings.rails = 2;
  for (const char* name :
       {"UCX_IB_GID_INDEX", "NCCL_IB_GID_INDEX", "NVSHMEM_IB_GID_INDEX", "MV2_DEFAULT_GID_INDEX"})
    EXPECT_EQ(of_task(node, settings, name), "3") << name;
  EXPECT_EQ(of_task(node, settings, "MV2_USE_RoCE"), "1");
  node.ports[1].gids[3].index = 5;
  EXPECT_EQ(of_task(node, settings, "UCX_IB_GID_INDEX"), "(unset)") << "the two do not agree";
  settings.rails = 1;
  EXPECT_EQ(of_task(node, settings, "UCX_IB_GID_INDEX"), "3") << "the task's own port";
  EXPECT_EQ(of_task(node, settings, "NCCL_IB_GID_INDEX"), "(unset)") << "NCCL's are all of the node's";
  node.ports[0].gids.resize(2);
  EXPECT_EQ(of_task(node, settings, "UCX_IB_GID_INDEX"), "1") << "link-local, and v2";
  node.ports[0].gids.resize(1);
  EXPECT_EQ(of_task(node, settings, "UCX_IB_GID_INDEX"), "0") << "link-local, v1: better than none";
}

TEST(Environment, InfinibandHasNoGidIndexAndComesFirst) {
  Inventory node = roce_node();
  node.ports[1].link_layer = LinkLayer::infiniband;
  Settings settings;
  settings.roce = Roce::yes;
  EXPECT_EQ(of_task(node, settings, "UCX_NET_DEVICES"), "mlx5_1:1,mlx5_0:1");
  EXPECT_EQ(of_task(node, settings, "UCX_IB_GID_INDEX"), "(unset)");
  EXPECT_EQ(of_task(node, settings, "NCCL_IB_HCA"), "=mlx5_1:1") << "NCCL would connect one with the other";
  EXPECT_EQ(of_task(node, settings, "MV2_USE_RoCE"), "(unset)");
}

TEST(Environment, APartitionIsAnIndexForNccl) {
  Inventory node = test::numa_node(1);
  node.ports = {test::port("mlx5_0", "0000:18:00.0", {0}), test::port("mlx5_1", "0000:86:00.0", {0})};
  for (Port& port : node.ports) port.pkeys = {0xffff, 0, 0x8005};
  Settings settings;
  settings.pkey = 0x8005;
  EXPECT_EQ(of_task(node, settings, "NCCL_IB_PKEY"), "2");
  EXPECT_EQ(of_task(node, settings, "NVSHMEM_IB_PKEY_INDEX"), "2");
  EXPECT_EQ(of_task(node, settings, "UCX_IB_PKEY"), "0x0005") << "UCX has the key";
  node.ports[1].pkeys = {0x0005};
  EXPECT_EQ(of_task(node, settings, "NCCL_IB_PKEY"), "(unset)") << "two indexes";
  node.ports[1].pkeys = {0xffff};
  EXPECT_EQ(of_task(node, settings, "NCCL_IB_PKEY"), "2") << "the other is no candidate";
}

TEST(Environment, EfaIsLibfabrics) {
  Inventory node = test::numa_node(1);
  node.ports = {test::port("rdmap16s27", "0000:10:1b.0", {0}), test::port("rdmap32s27", "0000:20:1b.0", {0})};
  for (Port& port : node.ports) port.driver = "efa", port.link_layer = LinkLayer::unknown, port.lid = 0;
  Settings settings;
  settings.rails = all_rails;
  EXPECT_EQ(of_task(node, settings, "FI_PROVIDER"), "efa");
  EXPECT_EQ(of_task(node, settings, "FI_EFA_USE_DEVICE_RDMA"), "1");
  EXPECT_EQ(of_task(node, settings, "FI_EFA_IFACE"), "rdmap16s27,rdmap32s27");
  EXPECT_EQ(of_task(node, settings, "FI_VERBS_DEVICE_NAME"), "(unset)");
}

TEST(Environment, PortsAreAlwaysNamedWithTheirNumber) {
  auto in = inputs();
  in.task_ports = {"mlx5_0:1", "mlx5_0:2", "mlx5_3:1"};
  EXPECT_EQ(value(in, "UCX_NET_DEVICES"), "mlx5_0:1,mlx5_0:2,mlx5_3:1");
  EXPECT_EQ(value(in, "UCX_MAX_RNDV_RAILS"), "3");
  EXPECT_EQ(value(in, "MV2_IBA_HCA"), "mlx5_0:mlx5_3");
  EXPECT_EQ(value(in, "MV2_NUM_HCAS"), "2");
  EXPECT_EQ(value(in, "MV2_DEFAULT_PORT"), "(unset)") << "one number cannot name ports 1 and 2";
  in.task_ports.pop_back();
  EXPECT_EQ(value(in, "UCX_MAX_RNDV_RAILS"), "(unset)") << "2 is UCX's own default";
}

TEST(Environment, PrefixMatchesDoNotSelectAnotherDevice) {
  auto in = inputs();
  in.profiles = {"nccl", "libfabric"};
  in.node_devices = {"mlx5_1", "mlx5_10"};  // the other one need not be eligible
  EXPECT_TRUE(value(in, "NCCL_IB_HCA").starts_with("=")) << "exact match";
  EXPECT_EQ(value(in, "FI_VERBS_DEVICE_NAME"), "(unset)") << "mlx5_1 also begins mlx5_10";
  in.node_devices = {"mlx5_1", "mlx5_2"};
  EXPECT_EQ(value(in, "FI_VERBS_DEVICE_NAME"), "mlx5_1");
}

TEST(Environment, ThePartitionIsWrittenAsEachStackReadsIt) {
  auto in = inputs();
  in.pkey = 0x8001;
  EXPECT_EQ(value(in, "UCX_IB_PKEY"), "0x0001") << "15 bits";
  EXPECT_EQ(value(in, "MV2_DEFAULT_PKEY"), "0x8001");
}

// UCX reads these for every endpoint, also to other nodes.
TEST(Environment, SeparateUserNamespacesTakeNothingFromThePathBetweenNodes) {
  auto in = inputs();
  in.task_ports = {"mlx5_0:1", "mlx5_1:1", "mlx5_2:1"};
  auto apart = in;
  apart.private_user_namespaces = true;
  const auto before = variables(in);
  std::vector<std::string> added;
  for (const auto& [name, text] : variables(apart))
    if (!before.contains(name))
      added.push_back(name);
    else
      EXPECT_EQ(before.at(name), text) << name;
  EXPECT_THAT(added, UnorderedElementsAre("UCX_TLS", "UCX_POSIX_USE_PROC_LINK", "MV2_SMP_USE_CMA",
                                          "OMPI_MCA_smsc", "OMPI_MCA_btl_vader_single_copy_mechanism"));
}

TEST(Environment, CmaThatAUsersListLeavesOnIsTold) {
  const std::pair<const char*, bool> lists[] = {
      {"rc,sm,self", true},     {"rc,shm", true}, {"rc,cma", true}, {"all", true},
      {"^tcp", true},           {"^cma", false},  {"^sm", false},   {"^tcp,shm", false},
      {"rc,posix,sysv", false}, {"rc,mm", false}, {"", false}};
  for (const auto& [list, told] : lists) {
    auto in = inputs();
    in.user["UCX_TLS"] = list;
    EXPECT_THAT(build_environment(in).warnings, IsEmpty()) << list;
    in.private_user_namespaces = true;
    if (told)
      EXPECT_THAT(build_environment(in).warnings, ElementsAre(HasSubstr("leaves CMA on"))) << list;
    else
      EXPECT_THAT(build_environment(in).warnings, IsEmpty()) << list;
  }
}

TEST(Environment, AUsersDevicesThatTheTaskIsNotShownAreTold) {
  struct Case {
    const char *name, *value;
    bool told;
  };
  for (const auto& [name, text, told] : {Case{"UCX_NET_DEVICES", "mlx5_1:1", false},
                                         {"UCX_NET_DEVICES", "mlx5_0:1,mlx5_1:1", false},
                                         {"UCX_NET_DEVICES", "mlx5_1", false},
                                         {"UCX_NET_DEVICES", "mlx5_*", false},
                                         {"UCX_NET_DEVICES", "all", false},
                                         {"UCX_NET_DEVICES", "", false},
                                         {"UCX_NET_DEVICES", "^eth0", false},
                                         {"UCX_NET_DEVICES", "^mlx5_1:1", true},
                                         {"UCX_NET_DEVICES", "mlx5_10:1", true},
                                         {"UCX_NET_DEVICES", "mlx5_1:2", true},
                                         {"UCX_NET_DEVICES", "eth0", true},
                                         {"MV2_IBA_HCA", "mlx5_1", false},
                                         {"MV2_IBA_HCA", "mlx5_0:mlx5_1", false},
                                         {"MV2_IBA_HCA", "mlx5_0:mlx5_2", true}}) {
    auto in = inputs();
    in.user[name] = text;
    EXPECT_THAT(build_environment(in).warnings, IsEmpty()) << "nobody says what it is shown";
    in.shown_ports = {"mlx5_1:1"};
    if (told)
      EXPECT_THAT(build_environment(in).warnings, ElementsAre(HasSubstr(name))) << text;
    else
      EXPECT_THAT(build_environment(in).warnings, IsEmpty()) << name << "=" << text;
  }
}

TEST(Environment, SeparateUserNamespacesSwitchOffWhatTheyBreak) {
  auto in = inputs();
  in.private_user_namespaces = true;
  EXPECT_EQ(value(in, "UCX_POSIX_USE_PROC_LINK"), "n");
  EXPECT_EQ(value(in, "UCX_TLS"), "^cma");
  EXPECT_EQ(value(in, "OMPI_MCA_smsc"), "^cma");
  EXPECT_EQ(value(in, "OMPI_MCA_btl_vader_single_copy_mechanism"), "none");
  EXPECT_EQ(value(in, "MV2_SMP_USE_CMA"), "0");
}

TEST(Environment, TheServersSecurityModuleIsPassedOn) {
  auto in = inputs();
  in.user["PMIX_SECURITY_MODE"] = "munge,native";
  EXPECT_EQ(value(in, "PMIX_MCA_psec"), "munge,native");
}

TEST(Environment, EveryProfileThatAUserCanNameSetsSomething) {
  auto in = inputs();
  in.require = true;
  in.profiles = {"none"};
  const auto nothing = variables(in).size();
  Request request;
  for (const char* name : {"ucx", "ompi", "pmix", "nccl", "mvapich", "mpich", "intelmpi", "libfabric",
                           "nvshmem", "hcoll", "pami"}) {
    ASSERT_TRUE(set_key(request, "env", name).ok()) << name;
    in.profiles = *request.env;
    EXPECT_GT(variables(in).size(), nothing) << name;
  }
}

}  // namespace
}  // namespace cib
