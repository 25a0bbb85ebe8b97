// The best so far of a stream of scores.
#ifndef TF_RIGL_NATIVE_CANDIDATES_H_
#define TF_RIGL_NATIVE_CANDIDATES_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace rigl {

// Keeps the `count` highest ranks, and a few more before the next cut.
class Candidates {
 public:
  // Scores with keys below `threshold` are known not to be among the best.
  // Throws std::bad_alloc; nothing else does before `room` runs out.
  Candidates(size_t count, int32_t threshold);

  int32_t threshold() const { return threshold_; }
  const std::vector<uint64_t>& ranks() const { return ranks_; }

  // Makes room for as many more, so that adding them cannot throw.
  void make_room(size_t more) {
    if (ranks_.size() + more > ranks_.capacity()) cut();
  }

  void add(uint64_t rank) { ranks_.push_back(rank); }

 private:
  // Forgets all but the best, and raises the threshold to the last of them.
  void cut();

  size_t count_;
  int32_t threshold_;
  std::vector<uint64_t> ranks_;
};

// Sorts ranks by their place, ascending.
void sort_by_place(std::vector<uint64_t>& ranks);

}  // namespace rigl

#endif  // TF_RIGL_NATIVE_CANDIDATES_H_
