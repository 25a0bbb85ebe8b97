// Memory of runs, kept from one to the next.
//
// Pages fresh from the system would cost a tenth of a run.
#ifndef TF_RIGL_NATIVE_PLAN_BUFFERS_H_
#define TF_RIGL_NATIVE_PLAN_BUFFERS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace rigl::plan {

// Those that no run is using. Without locks: a child process would find them as
// they were when it was forked.
class Buffers {
 public:
  Buffers() = default;
  ~Buffers();
  Buffers(const Buffers&) = delete;
  Buffers& operator=(const Buffers&) = delete;

  // Returns so many floats at least, aligned to 64 bytes. Throws bad_alloc.
  float* take(int64_t floats);
  void give_back(float* buffer);

 private:
  static constexpr int kKept = 16;
  std::atomic<float*> kept_[kKept] = {};
};

class Buffer {
 public:
  Buffer(Buffers& buffers, int64_t floats)
      : buffers_(buffers), data_(buffers.take(floats)) {}
  ~Buffer() { buffers_.give_back(data_); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  float* data() const { return data_; }

 private:
  Buffers& buffers_;
  float* const data_;
};

}  // namespace rigl::plan

#endif  // TF_RIGL_NATIVE_PLAN_BUFFERS_H_
