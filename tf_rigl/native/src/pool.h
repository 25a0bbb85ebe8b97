// Threads that share the tasks of one call.
//
// TensorFlow's C API gives no access to its own. These start when they are
// first needed, spin for a moment after a task because the next one is often
// microseconds away, and then sleep.
#ifndef TF_RIGL_NATIVE_POOL_H_
#define TF_RIGL_NATIVE_POOL_H_

#include <cstdint>

namespace rigl {

void set_threads(int threads);
int threads();

// Limits the threads of this thread's calls while it lives; 0 is no limit.
class ThreadLimit {
 public:
  explicit ThreadLimit(int threads);
  ~ThreadLimit();
  ThreadLimit(const ThreadLimit&) = delete;
  ThreadLimit& operator=(const ThreadLimit&) = delete;

 private:
  const int before_;
};

// While one lives, the threads wait longer for the next task before they sleep.
class Awake {
 public:
  Awake();
  ~Awake();
  Awake(const Awake&) = delete;
  Awake& operator=(const Awake&) = delete;
};

namespace pool {

using Body = void (*)(const void* context, int task);
void run(int tasks, Body body, const void* context);

}  // namespace pool

// Calls body(task) for each task below `tasks`, in any order and on any thread,
// and returns when all are done. A call while another one is running does all
// its tasks itself. `body` must not throw, nor call this function.
template <class Function>
void parallel_for(int tasks, const Function& body) {
  pool::run(
      tasks,
      [](const void* context, int task) {
        (*static_cast<const Function*>(context))(task);
      },
      &body);
}

}  // namespace rigl

#endif  // TF_RIGL_NATIVE_POOL_H_
