#include "container_ib/cdi.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/node_builder.hpp"

namespace cib {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

CdiQuestion question_of(const std::vector<std::string>& devices) {
  CdiQuestion question;
  question.node = test::two_sockets_of_two();
  for (std::size_t i = 0; i < devices.size(); ++i) {
    question.node.ports[i].device = devices[i];
    question.nodes[devices[i]] = {"uverbs" + std::to_string(devices.size() - 1 - i)};
    question.ports.push_back(i);
  }
  question.assignment = place(question.node, {}, test::one_rail());
  return question;
}

std::string value_of(const CdiDevice& device, const std::string& name) {
  for (const auto& change : device.env)
    if (change.name == name) return change.value;
  return "unset";
}

TEST(CdiSpecification, HasADeviceForEachHcaAndOneForAll) {
  auto question = question_of({"mlx5_0", "mlx5_1"});
  question.shared_nodes = {"rdma_cm"};
  const auto specification = cdi_specification(question).value();
  ASSERT_EQ(specification.devices.size(), 3U);
  EXPECT_EQ(specification.devices[0].name, "mlx5_0");
  EXPECT_THAT(specification.devices[0].mounts,
              ElementsAre("/dev/infiniband/uverbs1", "/dev/infiniband/rdma_cm"));
  EXPECT_EQ(value_of(specification.devices[0], "UCX_NET_DEVICES"), "mlx5_0:1");
  EXPECT_EQ(value_of(specification.devices[1], "CONTAINER_IB_PORTS"), "mlx5_1:1");
  EXPECT_EQ(value_of(specification.devices[1], "NCCL_IB_HCA"), "=mlx5_1:1") << "it sees no other one";
  EXPECT_EQ(specification.devices[2].name, "all");
  EXPECT_THAT(specification.devices[2].mounts,
              ElementsAre("/dev/infiniband/uverbs1", "/dev/infiniband/uverbs0", "/dev/infiniband/rdma_cm"));
  EXPECT_EQ(value_of(specification.devices[2], "UCX_NET_DEVICES"), "mlx5_0:1,mlx5_1:1");
  EXPECT_EQ(value_of(specification.devices[2], "CONTAINER_IB_PLAN"), "unset") << "nothing was planned";
}

TEST(CdiSpecification, KeepsTheOrderOfTheTasksPorts) {
  auto question = question_of({"mlx5_0", "mlx5_1"});
  question.ports = {1, 0};
  const auto specification = cdi_specification(question).value();
  EXPECT_EQ(specification.devices[0].name, "mlx5_1");
  EXPECT_EQ(value_of(specification.devices.back(), "UCX_NET_DEVICES"), "mlx5_1:1,mlx5_0:1");
}

TEST(CdiSpecification, TwoPortsOfAnHcaAreOneDevice) {
  auto question = question_of({"mlx5_0", "mlx5_0"});
  question.node.ports[1].number = 2;
  const auto specification = cdi_specification(question).value();
  ASSERT_EQ(specification.devices.size(), 2U);
  EXPECT_EQ(value_of(specification.devices[0], "UCX_NET_DEVICES"), "mlx5_0:1,mlx5_0:2");
  EXPECT_THAT(specification.devices[0].mounts, ElementsAre("/dev/infiniband/uverbs0"));
}

TEST(CdiSpecification, HasTheLowestVersionThatIsEnough) {
  EXPECT_EQ(cdi_specification(question_of({"mlx5_0"}))->version, "0.3.0");
  EXPECT_EQ(cdi_specification(question_of({"mlx5_0", "0_ib"}))->version, "0.5.0");
  for (const char* name : {"mlx5_0", "0_ib"}) {
    auto question = question_of({name});
    question.netdevs = {{"ib1", "ib0"}};
    EXPECT_EQ(cdi_specification(question)->version, "1.1.0");
  }
}

TEST(CdiSpecification, InterfacesGoToAllAndNowhereElse) {
  auto question = question_of({"mlx5_0"});
  question.netdevs = {{"ib1", "ib0"}, {"ib2", "eth0"}};
  const auto specification = cdi_specification(question).value();
  EXPECT_THAT(specification.devices[0].netdevs, IsEmpty());
  EXPECT_EQ(value_of(specification.devices[0], "CONTAINER_IB_NETDEV"), "unset");
  EXPECT_EQ(specification.devices[1].netdevs, question.netdevs);
  EXPECT_EQ(value_of(specification.devices[1], "CONTAINER_IB_NETDEV"), "ib0,eth0");
}

TEST(CdiSpecification, AnHcaWithoutNodeOrWithAnotherNameIsAnError) {
  auto question = question_of({"mlx5_0"});
  question.nodes.clear();
  EXPECT_THAT(cdi_specification(question).error().message(), HasSubstr("mlx5_0 has no node"));
  for (const char* name : {"all", "mlx 5", "_mlx5", "mlx5.", "ml=x", ""})
    EXPECT_THAT(cdi_specification(question_of({name})).error().message(), HasSubstr("cannot name the HCA"))
        << name;
}

TEST(CdiNetdevs, AreTwoInterfaces) {
  EXPECT_EQ(parse_cdi_netdev("ib1.8001:ib0").value(), (CdiNetdev{"ib1.8001", "ib0"}));
  for (const char* wrong :
       {"", "ib0", "ib0:", ":ib0", "a:b:c", "a/b:c", "a: b", "..:x", "sixteen_letters_:x"})
    EXPECT_THAT(parse_cdi_netdev(wrong).error().message(), HasSubstr("are wanted")) << wrong;
}

TEST(PortsOfList, MustBeEligible) {
  auto node = test::two_sockets_of_two();
  node.ports[2].state = PortState::down;
  const auto assignment = place(node, {}, test::one_rail());
  EXPECT_THAT(ports_of_list("mlx5_3:1,mlx5_0:1", node, assignment).value(), ElementsAre(3U, 0U));
  const auto why = [&](const char* list) { return ports_of_list(list, node, assignment).error().message(); };
  EXPECT_THAT(why("mlx5_2:1"), HasSubstr("state DOWN"));
  EXPECT_THAT(why("mlx5_0:2"), HasSubstr("no such port"));
  EXPECT_THAT(why("mlx5_0:1,"), HasSubstr("no such port"));
  EXPECT_THAT(why("mlx5_0:1,mlx5_0:1"), HasSubstr("named twice"));
}

}  // namespace
}  // namespace cib
