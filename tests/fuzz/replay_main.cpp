// Runs a fuzz target without libFuzzer: on each file of its corpus, and on mutations of them that are the
// same in every run.   replay DIRECTORY MUTATIONS
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "fuzz/fuzz_input.hpp"

namespace {

using Bytes = std::vector<std::uint8_t>;

std::vector<Bytes> read_corpus(const char* directory) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) names.push_back(entry.path());
  std::sort(names.begin(), names.end());
  std::vector<Bytes> corpus;
  for (const auto& name : names) {
    std::ifstream file(name, std::ios::binary);
    corpus.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return corpus;
}

class Mutator {
 public:
  Bytes mutate(Bytes bytes, const Bytes& other) {
    for (std::size_t n = 1 + below(4); n > 0; --n) change(bytes, other);
    return bytes;
  }
  std::size_t below(std::size_t limit) { return limit == 0 ? 0 : random_() % limit; }

 private:
  using Offset = Bytes::difference_type;

  Bytes::iterator somewhere(Bytes& bytes) {
    return bytes.begin() + static_cast<Offset>(below(bytes.size() + 1));
  }

  // Cut, overwrite, insert what such files often contain, repeat, splice.
  void change(Bytes& bytes, const Bytes& other) {
    static const std::string words[] = {
        "0", "-1", "4294967295", "18446744073709551615", "0xffffffff", ",", "\"", "<", ">", "\n", "%", "nan"};
    const auto at = somewhere(bytes);
    switch (below(6)) {
      case 0:
        bytes.erase(at, bytes.end());
        break;
      case 1:
        if (at != bytes.end()) *at = static_cast<std::uint8_t>(random_());
        break;
      case 2: {
        const auto& word = words[below(std::size(words))];
        bytes.insert(at, word.begin(), word.end());
        break;
      }
      case 3:
        bytes.erase(at, at + static_cast<Offset>(std::min<std::size_t>(
                                 below(32), static_cast<std::size_t>(bytes.end() - at))));
        break;
      case 4: {
        const Bytes piece(at, at + static_cast<Offset>(std::min<std::size_t>(
                                       below(200), static_cast<std::size_t>(bytes.end() - at))));
        const auto to = somewhere(bytes);
        bytes.insert(to, piece.begin(), piece.end());
        break;
      }
      default: {
        const auto from = below(other.size() + 1);
        const auto size = std::min<std::size_t>(below(200), other.size() - from);
        bytes.insert(at, other.begin() + static_cast<Offset>(from),
                     other.begin() + static_cast<Offset>(from + size));
      }
    }
  }
  std::mt19937_64 random_{1};
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return std::fputs("usage: replay DIRECTORY MUTATIONS\n", stderr), 2;
  const auto corpus = read_corpus(argv[1]);
  if (corpus.empty()) return std::fprintf(stderr, "no corpus in %s\n", argv[1]), 2;
  auto slowest = std::chrono::steady_clock::duration::zero();
  const auto run = [&](const Bytes& bytes) {
    const auto start = std::chrono::steady_clock::now();
    LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
    slowest = std::max(slowest, std::chrono::steady_clock::now() - start);
  };
  for (const auto& bytes : corpus) run(bytes);
  Mutator mutator;
  const long mutations = std::strtol(argv[2], nullptr, 10);
  for (long i = 0; i < mutations; ++i)
    run(mutator.mutate(corpus[mutator.below(corpus.size())], corpus[mutator.below(corpus.size())]));
  std::printf("%zu files, %ld mutations, slowest %.1f ms\n", corpus.size(), mutations,
              std::chrono::duration<double, std::milli>(slowest).count());
  return 0;
}
