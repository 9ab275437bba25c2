#include "container_ib/device_program.hpp"

#include <gtest/gtest.h>
#include <linux/bpf.h>

namespace cib {
namespace {

constexpr unsigned load_half = BPF_LDX | BPF_MEM | BPF_H, load_word = BPF_LDX | BPF_MEM | BPF_W,
                   set32 = BPF_ALU | BPF_MOV | BPF_K, set = BPF_ALU64 | BPF_MOV | BPF_K,
                   shift32 = BPF_ALU | BPF_RSH | BPF_K, mask32 = BPF_ALU | BPF_AND | BPF_K,
                   copy32 = BPF_ALU | BPF_MOV | BPF_X, unless = BPF_JMP | BPF_JNE | BPF_K,
                   unless_register = BPF_JMP | BPF_JNE | BPF_X, leave = BPF_JMP | BPF_EXIT;

// As runc writes one (libcontainer/devices/devicefilter): /dev/null to be read and written, nothing else.
DeviceProgram as_runc() {
  return {
      bpf_instruction(load_half, 2, 1, 0, 0),                // type
      bpf_instruction(load_word, 3, 1, 0, 0),                // access
      bpf_instruction(shift32, 3, 0, 0, 16),                 //
      bpf_instruction(load_word, 4, 1, 4, 0),                // major
      bpf_instruction(load_word, 5, 1, 8, 0),                // minor
      bpf_instruction(unless, 2, 0, 7, BPF_DEVCG_DEV_CHAR),  // the rule
      bpf_instruction(copy32, 1, 3, 0, 0),                   //
      bpf_instruction(mask32, 1, 0, 0, 6),                   // read and write
      bpf_instruction(unless_register, 1, 3, 4, 0),          // more is asked for
      bpf_instruction(unless, 4, 0, 3, 1),                   //
      bpf_instruction(unless, 5, 0, 2, 3),                   //
      bpf_instruction(set32, 0, 0, 0, 1),                    //
      bpf_instruction(leave, 0, 0, 0, 0),                    //
      bpf_instruction(set32, 0, 0, 0, 0),                    // what no rule is for
      bpf_instruction(leave, 0, 0, 0, 0),                    //
  };
}

constexpr DeviceNumber null{1, 3}, zero{1, 5}, uverbs0{231, 192}, uverbs1{231, 193};

TEST(DeviceProgram, IsRead) {
  EXPECT_EQ(lets_open(as_runc(), null), true);
  EXPECT_EQ(lets_open(as_runc(), zero), false);
  EXPECT_EQ(lets_open({bpf_instruction(set, 0, 0, 0, 1), bpf_instruction(leave, 0, 0, 0, 0)}, zero), true);
}

TEST(DeviceProgram, ThatDoesWhatIsNotKnownIsNotGuessedAt) {
  constexpr unsigned call = BPF_JMP | BPF_CALL, store = BPF_STX | BPF_MEM | BPF_W, jump = BPF_JMP | BPF_JA;
  const BpfInstruction end = bpf_instruction(leave, 0, 0, 0, 0), yes = bpf_instruction(set, 0, 0, 0, 1);
  EXPECT_EQ(lets_open({bpf_instruction(call, 0, 0, 0, 1), yes, end}, null), std::nullopt);
  EXPECT_EQ(lets_open({bpf_instruction(store, 10, 1, -4, 0), yes, end}, null), std::nullopt);
  EXPECT_EQ(lets_open({yes, bpf_instruction(jump, 0, 0, -2, 0), end}, null), std::nullopt) << "a loop";
  EXPECT_EQ(lets_open({bpf_instruction(load_word, 2, 1, 12, 0), yes, end}, null), std::nullopt)
      << "no such field";
  EXPECT_EQ(lets_open({bpf_instruction(load_word, 2, 1, -4, 0), yes, end}, null), std::nullopt);
  EXPECT_EQ(lets_open({bpf_instruction(load_word, 2, 0, 0, 0), yes, end}, null), std::nullopt)
      << "not the context";
  EXPECT_EQ(lets_open({bpf_instruction(set, 15, 0, 0, 1), yes, end}, null), std::nullopt)
      << "no such register";
  EXPECT_EQ(lets_open({yes}, null), std::nullopt) << "no end";
  EXPECT_EQ(lets_open({yes, bpf_instruction(jump, 0, 0, 7, 0), end}, null), std::nullopt) << "behind the end";
  EXPECT_EQ(lets_open({}, null), std::nullopt);
}

TEST(DeviceProgram, IsOpenedForTheseAndForNothingElse) {
  const auto opened = opened_for(as_runc(), {uverbs0, zero});
  EXPECT_EQ(lets_open(opened, uverbs0), true);
  EXPECT_EQ(lets_open(opened, zero), true);
  EXPECT_EQ(lets_open(opened, null), true) << "as before";
  EXPECT_EQ(lets_open(opened, uverbs1), false);
  EXPECT_EQ(lets_open(opened, {192, 231}), false);
}

TEST(DeviceProgram, IsGotBackOnlyFromWhatWasMadeOfIt) {
  const auto original = as_runc();
  const auto back = without_opened(opened_for(original, {uverbs0}), {uverbs0});
  ASSERT_TRUE(back.has_value());
  ASSERT_EQ(back->size(), original.size());
  for (std::size_t i = 0; i < original.size(); ++i) EXPECT_EQ((*back)[i], original[i]);
  EXPECT_FALSE(without_opened(opened_for(original, {uverbs0}), {uverbs1}).has_value());
  EXPECT_FALSE(without_opened(opened_for(original, {uverbs0}), {uverbs0, zero}).has_value());
  EXPECT_FALSE(without_opened(original, {uverbs0}).has_value());
}

}  // namespace
}  // namespace cib
