// Opens and runs plans, whole and damaged, for sanitizers.
//
// Usage: plan_driver LEVEL THREADS MUTATIONS FILES...

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <random>
#include <thread>
#include <vector>

#include "plan/program.h"
#include "rigl.h"
#include "rigl_plan.h"

namespace {

using Bytes = std::vector<char>;

// Larger ones, which a file may ask for, would take the machine's memory.
constexpr int64_t kMostBytes = int64_t(64) << 20;

int threads = 1;

struct Counts {
  int refused = 0;
  int run = 0;
};

int64_t elements(int rank, const int32_t* shape) {
  int64_t count = 1;
  for (int i = 0; i < rank; i++) count *= shape[i];
  return count;
}

// Runs a plan with arrays that are allocated exactly.
void run(RiglPlan* plan, int64_t batch) {
  std::vector<std::vector<float>> arrays;
  std::vector<const float*> inputs;
  std::vector<float*> outputs;
  int32_t shape[RIGL_PLAN_DIMENSIONS];
  int64_t total = 0;
  const auto add = [&](int rank) {
    const int64_t count = batch * elements(rank, shape);
    total += count;
    if (total <= kMostBytes / 4) arrays.emplace_back(count, 0.5f);
  };
  const int ins = rigl_plan_inputs(plan), outs = rigl_plan_outputs(plan);
  for (int i = 0; i < ins; i++) add(rigl_plan_input_shape(plan, i, shape));
  for (int i = 0; i < outs; i++) add(rigl_plan_output_shape(plan, i, shape));
  if (total > kMostBytes / 4) return;
  for (int i = 0; i < ins; i++) {
    // Others would be refused.
    const int32_t rows = rigl_plan_input_rows(plan, i);
    for (size_t j = 0; rows && j < arrays[i].size(); j++) {
      arrays[i][j] = float(j % rows);
    }
    inputs.push_back(arrays[i].data());
  }
  for (int i = 0; i < outs; i++) outputs.push_back(arrays[ins + i].data());
  rigl_plan_run(plan, inputs.data(), outputs.data(), batch, threads);
}

void try_bytes(const Bytes& bytes, int64_t batch, Counts& counts) {
  RiglPlan* plan;
  // A copy without room at its end.
  const Bytes exact(bytes.begin(), bytes.end());
  if (rigl_plan_open_memory(exact.data(), exact.size(), &plan)) {
    counts.refused++;
    return;
  }
  if (rigl_plan_buffer_bytes(plan) * std::max<int64_t>(batch, 1) <=
      kMostBytes) {
    run(plan, batch);
    counts.run++;
  }
  rigl_plan_close(plan);
}

// A new checksum lets damage through to the other checks.
void mend(Bytes& bytes) {
  if (bytes.size() < 64) return;
  const uint64_t size = bytes.size();
  std::memcpy(&bytes[16], &size, sizeof size);
  const uint32_t sum = rigl::plan::checksum(
      reinterpret_cast<const uint8_t*>(bytes.data()) + 16, bytes.size() - 16);
  std::memcpy(&bytes[12], &sum, sizeof sum);
}

void damage(Bytes& bytes, std::mt19937& random) {
  const auto below = [&](size_t n) { return n ? random() % n : 0; };
  // Most of a file is weights; what is before them is of more interest.
  const size_t end = random() % 4 ? std::min<size_t>(bytes.size(), 1024)
                                  : bytes.size();
  for (int times = 1 + int(below(3)); times > 0; times--) {
    const size_t at = below(end);
    switch (below(6)) {
      case 0:
        bytes[at] ^= char(1 << below(8));
        break;
      case 1:
        bytes[at] = char(random());
        break;
      case 2: {  // a number, by a little, to nothing, or to much
        const size_t word = at / 4 * 4;
        if (word + 4 > bytes.size()) break;
        uint32_t number;
        std::memcpy(&number, &bytes[word], 4);
        const uint32_t choices[] = {number + 1,  number - 1,  0,
                                    0x7FFFFFFF,  0x80000000u, 0xFFFFFFFFu,
                                    number * 2u, 1 << 20,     65536};
        number = choices[below(9)];
        std::memcpy(&bytes[word], &number, 4);
        break;
      }
      case 3:
        bytes.resize(at);
        if (bytes.empty()) return;
        break;
      case 4:
        bytes.insert(bytes.end(), 1 + below(200), char(random()));
        break;
      case 5: {  // one word in place of another
        const size_t from = below(end) / 4 * 4, to = at / 4 * 4;
        if (std::max(from, to) + 4 > bytes.size()) break;
        std::memcpy(&bytes[to], &bytes[from], 4);
        break;
      }
    }
  }
}

}  // namespace

int main(int count, char** arguments) {
  rigl_cap_level(std::atoi(arguments[1]));
  threads = std::atoi(arguments[2]);
  const int mutations = std::atoi(arguments[3]);
  std::mt19937 random(1);
  Counts whole, damaged;

  for (int file = 4; file < count; file++) {
    std::ifstream stream(arguments[file], std::ios::binary);
    const Bytes bytes{std::istreambuf_iterator<char>(stream), {}};
    RiglPlan* plan;
    if (const char* error = rigl_plan_open(arguments[file], &plan)) {
      std::fprintf(stderr, "%s: %s\n", arguments[file], error);
      return 1;
    }
    // Two at once.
    std::thread other([&] { run(plan, 3); });
    run(plan, 1);
    other.join();
    rigl_plan_close(plan);
    for (int64_t batch : {0, 1, 2, 20, 33}) try_bytes(bytes, batch, whole);

    for (int i = 0; i < mutations; i++) {
      Bytes changed = bytes;
      damage(changed, random);
      if (i % 8) mend(changed);
      try_bytes(changed, 1 + i % 3, damaged);
    }
  }
  std::printf("%s: %d run, %d refused; damaged: %d run, %d refused\n",
              rigl_level_name(), whole.run, whole.refused, damaged.run,
              damaged.refused);
}
