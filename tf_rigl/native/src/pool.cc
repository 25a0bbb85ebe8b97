#include "pool.h"

#include <sched.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>

#include "rigl.h"

namespace rigl {
namespace {

// About ten microseconds: longer than the gaps within one operation.
constexpr int kSpins = 300;
// Longer than a step of a plan that one thread computes: waking up for each
// step takes a tenth of the time of small networks.
constexpr int kAwakeSpins = 5000;

// How many calls want threads to stay awake.
std::atomic<int> wanted_awake{0};

int spins() {
  return wanted_awake.load(std::memory_order_relaxed) ? kAwakeSpins : kSpins;
}

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

int machine_threads() {
#if defined(__linux__)
  // Containers and `taskset` allow a process fewer than the machine has.
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) {
    return CPU_COUNT(&allowed);
  }
#endif
  const int found = std::thread::hardware_concurrency();
  return found > 0 ? found : 1;
}

std::atomic<int> wanted_threads{0};
thread_local int own_threads = 0;

class Pool {
 public:
  explicit Pool(pid_t owner) : owner_(owner) {}

  pid_t owner() const { return owner_; }

  // Returns false if another call is using the pool.
  bool try_run(int tasks, int threads, pool::Body body, const void* context) {
    std::unique_lock<std::mutex> in_use(in_use_, std::try_to_lock);
    if (!in_use.owns_lock()) return false;

    start_workers(threads - 1);
    body_ = body;
    context_ = context;
    left_.store(tasks, std::memory_order_relaxed);
    publish(tasks, threads - 1);

    while (take_task()) {
    }
    wait_for_others();
    return true;
  }

 private:
  void start_workers(int count) {
    while (workers_ < count) {
      try {
        std::thread([this, number = workers_] { work(number); }).detach();
      } catch (const std::system_error&) {
        return;  // no more threads are to be had: fewer do the work
      }
      workers_++;
    }
  }

  void publish(int tasks, int active) {
    {
      // Under the mutex, so that no worker falls asleep having missed it.
      std::lock_guard<std::mutex> lock(mutex_);
      active_.store(active, std::memory_order_relaxed);
      unclaimed_.store(tasks, std::memory_order_release);
    }
    wake_.notify_all();
  }

  // Claims and does one task; returns false if none is left.
  //
  // What the tasks are is read after the claim: until the task is done the
  // caller waits, and so cannot replace it.
  bool take_task() {
    int unclaimed = unclaimed_.load(std::memory_order_acquire);
    do {
      if (unclaimed == 0) return false;
    } while (!unclaimed_.compare_exchange_weak(unclaimed, unclaimed - 1,
                                               std::memory_order_acq_rel,
                                               std::memory_order_acquire));
    body_(context_, unclaimed - 1);
    left_.fetch_sub(1, std::memory_order_release);
    return true;
  }

  void wait_for_others() {
    for (int spin = 0; left_.load(std::memory_order_acquire) > 0; spin++) {
      if (spin < kSpins) {
        pause();
      } else {
        sched_yield();  // the thread that has the task may need this core
      }
    }
  }

  [[noreturn]] void work(int number) {
    for (;;) {
      const auto has_work = [&] {
        return number < active_.load(std::memory_order_relaxed) &&
               unclaimed_.load(std::memory_order_acquire) > 0;
      };
      for (int spin = 0; spin < spins() && !has_work(); spin++) pause();
      if (!has_work()) {
        std::unique_lock<std::mutex> lock(mutex_);
        wake_.wait(lock, has_work);
      }
      while (take_task()) {
      }
    }
  }

  const pid_t owner_;
  std::mutex in_use_;
  int workers_ = 0;

  pool::Body body_ = nullptr;
  const void* context_ = nullptr;
  std::atomic<int> active_{0};     // workers that may take tasks
  std::atomic<int> unclaimed_{0};  // tasks that nobody has taken
  std::atomic<int> left_{0};       // tasks that are not done

  std::mutex mutex_;
  std::condition_variable wake_;
};

// The pool of this process. After a fork the threads are gone, and locks may be
// held for ever: the child leaves the old pool behind and makes another.
Pool& current_pool() {
  static std::atomic<Pool*> current{nullptr};
  const pid_t process = getpid();
  Pool* found = current.load(std::memory_order_acquire);
  while (!found || found->owner() != process) {
    Pool* made = new Pool(process);
    if (current.compare_exchange_strong(found, made,
                                        std::memory_order_acq_rel)) {
      return *made;
    }
    delete made;
  }
  return *found;
}

}  // namespace

void set_threads(int threads) {
  wanted_threads.store(threads > 0 ? threads : 0, std::memory_order_relaxed);
}

ThreadLimit::ThreadLimit(int threads) : before_(own_threads) {
  own_threads = threads > 0 ? threads : 0;
}

ThreadLimit::~ThreadLimit() { own_threads = before_; }

Awake::Awake() { wanted_awake.fetch_add(1, std::memory_order_relaxed); }

Awake::~Awake() { wanted_awake.fetch_sub(1, std::memory_order_relaxed); }

int threads() {
  if (own_threads) return own_threads;
  const int wanted = wanted_threads.load(std::memory_order_relaxed);
  if (wanted) return wanted;
  static const int found = machine_threads();
  return found;
}

void pool::run(int tasks, Body body, const void* context) {
  const int threads = rigl::threads();
  if (tasks > 1 && threads > 1 &&
      current_pool().try_run(tasks, threads, body, context)) {
    return;
  }
  for (int task = 0; task < tasks; task++) body(context, task);
}

}  // namespace rigl

void rigl_set_threads(int32_t threads) { rigl::set_threads(threads); }

int32_t rigl_threads() { return rigl::threads(); }
