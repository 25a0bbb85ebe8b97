// The best so far of a stream of scores.
#ifndef TF_RIGL_NATIVE_CANDIDATES_H_
#define TF_RIGL_NATIVE_CANDIDATES_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace rigl {

struct Candidate {
  int32_t key;  // of its score: see ranking.h
  uint32_t position;
};

// Keeps the `count` best candidates, and a few more before the next cut, in the
// order in which they came.
class Candidates {
 public:
  // Scores with keys below `threshold` are known not to be among the best.
  // Throws std::bad_alloc; nothing else does.
  Candidates(size_t count, int32_t threshold);

  // Only keys from it on are of interest.
  int32_t threshold() const { return threshold_; }
  const std::vector<Candidate>& list() const { return list_; }

  // Makes room for some more, at most kSpare.
  void make_room(size_t more) {
    if (list_.size() + more > list_.capacity()) cut();
  }

  // After make_room only.
  void add(Candidate candidate) { list_.push_back(candidate); }

 private:
  static constexpr size_t kSpare = 8192;

  // Forgets all but the best, and raises the threshold to the last of them.
  void cut();

  size_t count_;
  int32_t threshold_;
  std::vector<Candidate> list_;
  std::unique_ptr<int32_t[]> memory_;  // for one cut
};

}  // namespace rigl

#endif  // TF_RIGL_NATIVE_CANDIDATES_H_
