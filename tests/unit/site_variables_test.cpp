#include "container_ib/site_variables.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "container_ib/environment.hpp"
#include "container_ib/wire.hpp"

namespace cib {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Port port(LinkLayer link_layer = LinkLayer::infiniband, double rate = 200,
          const std::string& driver = "mlx5_core") {
  Port port;
  port.device = "mlx5_0";
  port.link_layer = link_layer;
  port.rate_gbps = rate;
  port.driver = driver;
  return port;
}

EnvironmentRule rule(const std::string& value) { return {.set = {{"NCCL_IB_TC", value}}}; }

std::string value_of(const std::vector<EnvironmentRule>& rules, const std::vector<Port>& ports) {
  const auto variables = site_variables(rules, ports);
  return variables.empty() ? "(unset)" : variables.front().value;
}

TEST(SiteVariables, WithoutConditionsAreForEveryTask) {
  EXPECT_EQ(value_of({rule("41")}, {port()}), "41");
  EXPECT_EQ(value_of({rule("41")}, {port(LinkLayer::ethernet, 25, "bnxt_re")}), "41");
}

TEST(SiteVariables, AreForTheNodesThatAreNamed) {
  auto named = rule("41");
  named.nodes = {"gpu[01-16]", "fat*"};
  const std::vector<EnvironmentRule> rules = {named, rule("0")};
  EXPECT_EQ(rules_for_node(rules, "gpu07").size(), 2U);
  EXPECT_EQ(rules_for_node(rules, "fat").size(), 2U);
  EXPECT_EQ(rules_for_node(rules, "gpu7").size(), 1U);
}

// A library has one value for all ports of its process.
TEST(SiteVariables, WhatTheySayOfPortsMustHoldForEachOfTheTasks) {
  const auto ib = port(), slow = port(LinkLayer::infiniband, 100), eth = port(LinkLayer::ethernet, 200),
             bnxt = port(LinkLayer::ethernet, 200, "bnxt_re");
  auto layer = rule("layer"), driver = rule("driver"), least = rule("least"), most = rule("most");
  layer.link_layer = LinkLayer::infiniband;
  driver.drivers = {"mlx4_core", "mlx5_core"};
  least.min_rate_gbps = 200;
  most.max_rate_gbps = 100;
  EXPECT_EQ(value_of({layer}, {ib, slow}), "layer");
  EXPECT_EQ(value_of({layer}, {ib, eth}), "(unset)");
  EXPECT_EQ(value_of({driver}, {ib, eth}), "driver");
  EXPECT_EQ(value_of({driver}, {ib, bnxt}), "(unset)");
  EXPECT_EQ(value_of({least}, {ib, eth}), "least") << "the end is included";
  EXPECT_EQ(value_of({least}, {ib, slow}), "(unset)");
  EXPECT_EQ(value_of({most}, {slow}), "most");
  EXPECT_EQ(value_of({most}, {slow, ib}), "(unset)");
  auto all = layer;
  all.min_rate_gbps = 400;
  EXPECT_EQ(value_of({all}, {ib}), "(unset)") << "all that one says must hold";
}

TEST(SiteVariables, TheLastOnesValueCounts) {
  const std::vector<EnvironmentRule> rules = {{.set = {{"A", "1"}, {"B", "1"}}},
                                              {.set = {{"B", "2"}, {"C", "2"}}}};
  EXPECT_THAT(
      site_variables(rules, {port()}),
      ElementsAre(EnvironmentChange{"A", "1"}, EnvironmentChange{"B", "2"}, EnvironmentChange{"C", "2"}));
  EXPECT_THAT(names_of_site_variables(rules), ElementsAre("A", "B", "C"));
}

TEST(SiteVariables, MayBeWhatTunes) {
  for (const char* name : {"NCCL_IB_TC", "NCCL_IB_SL", "NCCL_SOCKET_IFNAME", "UCX_TLS", "UCX_MAX_RNDV_RAILS",
                           "FI_PROVIDER", "NCCL_NET", "OMPI_MCA_btl", "OMPI_MCA_pml", "_x1", "PATHS"})
    EXPECT_TRUE(check_site_variable(name, "1").ok()) << name;
  EXPECT_TRUE(check_site_variable("A", std::string(wire::longest_value, 'x')).ok());
}

TEST(SiteVariables, MayNotBeWhatOthersDecide) {
  const std::pair<const char*, const char*> cases[] = {
      {"CONTAINER_IB_PORTS", "says what the task has"},
      {"CONTAINER_IB", "says what the task has"},
      {"LD_LIBRARY_PATH", "what code a program loads"},
      {"LD_PRELOAD", "what code a program loads"},
      {"PATH", "the user's and the image's own"},
      {"PMIX_MCA_gds", "PMIx"},
      {"PMI_FD", "PMI"},
      {"PMI2_X", "PMI"},
      {"SLURM_JOB_ID", "Slurm's"},
      {"SLURMD_NODENAME", "Slurm's"},
      {"_SLURM_SPANK_OPTION_x_y", "Slurm's"},
      {"RDMAV_DRIVERS", "inject=providers"},
      {"CONTAINERS_CONF_OVERRIDE", "folder"},
      {"UCX_NET_DEVICES", "the task's placement"},
      {"NCCL_IB_HCA", "the task's placement"},
      {"FI_VERBS_DEVICE_NAME", "the task's placement"},
      {"MV2_DEFAULT_PKEY", "the task's placement"},
      {"", "no name of a variable"},
      {"1A", "no name of a variable"},
      {"A-B", "no name of a variable"},
      {"A=B", "no name of a variable"},
      {"A B", "no name of a variable"},
      {"a234567890123456789012345678901234567890123456789012345678901234", "no name of a variable"},
  };
  for (const auto& [name, why] : cases) {
    const auto status = check_site_variable(name, "1");
    ASSERT_FALSE(status.ok()) << name;
    EXPECT_THAT(status.error().what, HasSubstr(why)) << name;
  }
}

// A file of variables, a CDI specification and a message to the task have no place for others.
TEST(SiteVariables, HaveValuesThatFitALine) {
  const std::pair<std::string, const char*> cases[] = {
      {"", "an empty value"},
      {"a\nb", "other than printable characters in 'a\\x0ab'"},
      {std::string("a\0b", 3), "other than printable"},
      {"\x7f", "other than printable"},
      {"\xc3\xbc", "other than printable"},
      {std::string(wire::longest_value + 1, 'x'), "longer than 4095"}};
  for (const auto& [value, why] : cases) {
    const auto status = check_site_variable("A", value);
    ASSERT_FALSE(status.ok()) << value;
    EXPECT_THAT(status.error().what, HasSubstr(why));
  }
}

// ---- what they make of a task's environment
// -------------------------------------------------------------------

struct SiteEnvironment : testing::Test {
  SiteEnvironment() {
    in.task_ports = {"mlx5_1:1"};
    in.require = true;
    in.site = {{"NCCL_IB_TC", "41"}, {"OMPI_MCA_btl", "self,vader"}, {"UCX_TLS", "rc,sm,self"}};
  }
  std::string value(const std::string& name) const {
    std::string found = "(unset)";
    for (const auto& change : build_environment(in).set) {
      if (change.name != name) continue;
      EXPECT_EQ(found, "(unset)") << name << " is set twice";
      found = change.value;
    }
    return found;
  }
  EnvironmentInputs in;
};

TEST_F(SiteEnvironment, ComesBeforeOurTable) {
  EXPECT_EQ(value("NCCL_IB_TC"), "41");
  EXPECT_EQ(value("OMPI_MCA_btl"), "self,vader");
  EXPECT_EQ(value("UCX_NET_DEVICES"), "mlx5_1:1") << "the rest stays";
  EXPECT_THAT(build_environment(in).of_site, ElementsAre("NCCL_IB_TC", "OMPI_MCA_btl", "UCX_TLS"));
  in.private_user_namespaces = true;
  EXPECT_EQ(value("UCX_TLS"), "rc,sm,self");
}

TEST_F(SiteEnvironment, YieldsToTheUsersOwn) {
  in.user = {{"NCCL_IB_TC", "7"}, {"OMPI_MCA_btl", ""}};
  EXPECT_EQ(value("NCCL_IB_TC"), "(unset)");
  EXPECT_EQ(value("OMPI_MCA_btl"), "(unset)") << "set to nothing is set";
  EXPECT_THAT(build_environment(in).kept, ElementsAre("NCCL_IB_TC", "OMPI_MCA_btl"));
  EXPECT_THAT(build_environment(in).of_site, ElementsAre("UCX_TLS"));
}

TEST_F(SiteEnvironment, CountsAsDecidedLikeAUsersValue) {
  in.site = {{"UCX_TLS", "tcp,self"}, {"NCCL_IB_DISABLE", "1"}};
  EXPECT_EQ(value("UCX_NET_DEVICES"), "(unset)") << "or no transport were left between nodes";
  EXPECT_EQ(value("NCCL_IB_HCA"), "(unset)");
  in.user["UCX_TLS"] = "rc,self";
  EXPECT_EQ(value("UCX_NET_DEVICES"), "mlx5_1:1");
}

TEST_F(SiteEnvironment, IsNotThereWithoutAPortNorWithEnvNone) {
  in.profiles = {"ucx"};
  EXPECT_EQ(value("NCCL_IB_TC"), "41") << "it belongs to no stack of ours";
  in.profiles = {"none"};
  EXPECT_EQ(value("NCCL_IB_TC"), "(unset)");
  in.profiles = {"auto"};
  in.task_ports.clear();
  EXPECT_EQ(value("NCCL_IB_TC"), "(unset)");
  EXPECT_THAT(build_environment(in).of_site, IsEmpty());
}

}  // namespace
}  // namespace cib
