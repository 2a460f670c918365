// The population risk of two-layer ReLU students and its slope, for many students, on a CPU.
//
// The formulas are those of gaussian.py and population.py.  With the unit vectors x_i of the
// students' neurons w_i = r_i x_i, and y_j of the teachers' v_j = t_j y_j,
//
//   slope_i = a_i/2π (Σ_j a_j r_j (sin θ_ij x_i + (π − θ_ij) x_j)
//                   − Σ_j b_j t_j (sin φ_ij x_i + (π − φ_ij) y_j)),
//   value   = Σ_i w_i·(slope_i with half of its first sum),
//
// the risk without the constant ½ Σ b_i b_j f(v_i, v_j).
//
// A register holds the same number of several students, so every operation below is that of one
// student written once, and what a student gets does not depend on its neighbours.
//
// native.py compiles this file, with RELU_BITS, 32 or 64, and RELU_ANGLE, the coefficients of
// gaussian.py.

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <thread>
#include <type_traits>
#include <vector>

#if defined(__AVX__)
#include <immintrin.h>
#endif

#include "xla/ffi/api/ffi.h"

namespace {

namespace ffi = xla::ffi;

#if RELU_BITS == 32
using Real = float;
constexpr auto kType = ffi::F32;
constexpr Real kEpsilon = 0x1p-23;
#else
using Real = double;
constexpr auto kType = ffi::F64;
constexpr Real kEpsilon = 0x1p-52;
#endif

// θ / sin θ as a polynomial of y = 1 − cos θ on [0, 1].
constexpr Real kAngle[] = {RELU_ANGLE};
constexpr Real kPi = 3.14159265358979323846;
constexpr Real kPerTurn = 0.15915494309189533577;

// The bytes of a register, and tiles of rows and columns whose sums fit in the registers.
#if defined(__AVX512F__)
constexpr size_t kBytes = 64;
constexpr int kRows = 4, kColumns = 4;
#elif defined(__AVX__)
constexpr size_t kBytes = 32;
constexpr int kRows = 4, kColumns = 2;
#else
constexpr size_t kBytes = 16;
constexpr int kRows = 4, kColumns = 4;
#endif
constexpr size_t kLanes = kBytes / sizeof(Real);

// The nanoseconds of work that are worth waking another thread.
constexpr size_t kPiece = 10000;

// One number of each of several students.
using Lanes [[gnu::vector_size(kBytes)]] = Real;

struct Register {
  Lanes lanes;
};

inline Lanes Root(Lanes x) {
#if defined(__AVX512F__) && RELU_BITS == 32
  return _mm512_sqrt_ps(x);
#elif defined(__AVX512F__)
  return _mm512_sqrt_pd(x);
#elif defined(__AVX__) && RELU_BITS == 32
  return _mm256_sqrt_ps(x);
#elif defined(__AVX__)
  return _mm256_sqrt_pd(x);
#else
  for (size_t l = 0; l < kLanes; ++l) x[l] = std::sqrt(x[l]);
  return x;
#endif
}

// sin θ and π − θ from cos θ.
inline void SineAndSupplement(Lanes cosine, Lanes& sine, Lanes& supplement) {
  constexpr int degree = std::size(kAngle) - 1;
  const Lanes zero = {};
  Lanes y = 1 - (cosine < 0 ? -cosine : cosine);
  y = y > 8 * kEpsilon ? y : zero;
  sine = Root(y * (2 - y));
  Lanes ratio = zero + kAngle[degree];
#pragma GCC unroll 32
  for (int i = degree - 1; i >= 0; --i) ratio = ratio * y + kAngle[i];
  const Lanes acute = sine * ratio;
  supplement = cosine < 0 ? acute : kPi - acute;
}

// Call f with tiles of N indices, then with smaller ones for what is left.
template <int N, typename F>
inline void Tiles(size_t begin, size_t end, F&& f) {
  for (; begin + N <= end; begin += N) f(std::integral_constant<int, N>{}, begin);
  if constexpr (N > 1) Tiles<N / 2>(begin, end, f);
}

// out[i][j] = Σ_q x[i][q] y[j][q] for I rows x and J rows y of length d; `stride` is out's.
template <int I, int J, typename Y>
[[gnu::noinline]] void Dots(const Lanes* x, const Y* y, size_t d, Lanes* out, size_t stride) {
  Lanes sum[I][J] = {};
  for (size_t q = 0; q < d; ++q) {
#pragma GCC unroll 8
    for (int j = 0; j < J; ++j) {
      const auto yj = y[j * d + q];
#pragma GCC unroll 8
      for (int i = 0; i < I; ++i) sum[i][j] += x[i * d + q] * yj;
    }
  }
  for (int i = 0; i < I; ++i)
    for (int j = 0; j < J; ++j) out[i * stride + j] = sum[i][j];
}

// sum[i][q] = Σ_j p[i][j] y[j][q] for I rows of p, of length `count`, and Q columns of y.
template <int I, int Q, typename Y>
inline void Combine(const Lanes* p, const Y* y, size_t count, size_t d, Lanes (&sum)[I][Q]) {
  for (int i = 0; i < I; ++i)
    for (int q = 0; q < Q; ++q) sum[i][q] = Lanes{};
  for (size_t j = 0; j < count; ++j) {
#pragma GCC unroll 8
    for (int q = 0; q < Q; ++q) {
      const auto yq = y[j * d + q];
#pragma GCC unroll 8
      for (int i = 0; i < I; ++i) sum[i][q] += p[i * count + j] * yq;
    }
  }
}

// The teacher as unit vectors, and b_j t_j.
struct Teacher {
  std::vector<Real> unit, weight;

  Teacher(const Real* V, const Real* b, size_t k, size_t d) : unit(V, V + k * d), weight(k) {
    for (size_t j = 0; j < k; ++j) {
      Real square = 0;
      for (size_t q = 0; q < d; ++q) square += unit[j * d + q] * unit[j * d + q];
      const Real norm = std::sqrt(square);
      weight[j] = b[j] * norm;
      for (size_t q = 0; q < d; ++q) unit[j * d + q] /= norm == 0 ? 1 : norm;
    }
  }
};

// Students that share a teacher and weights, as many as a register holds.
class Group {
 public:
  Group(size_t n, size_t k, size_t d)
      : n_(n), k_(k), d_(d), memory_(n * d + 2 * n + n * n + kRows * (k + d)) {
    x_ = &memory_.data()->lanes;
    weight_ = x_ + n * d;
    along_ = weight_ + n;
    students_ = along_ + n;
    teachers_ = students_ + n * n;
    slope_ = teachers_ + kRows * k;
  }

  void Run(const Real* W, size_t count, const Real* a, const Teacher& teacher, Real* slope,
           Real* value) {
    Load(W, count, a);
    Lanes total = {};
    Tiles<kRows>(0, n_, [&](auto tile, size_t i) {
      constexpr int rows = tile;
      const Lanes* x = x_ + i * d_;
      // Each pair of students is met once; row i has its part for j < i from row j.
      Tiles<kColumns>(i, n_, [&](auto side, size_t j) {
        Dots<rows, side>(x, x_ + j * d_, d_, students_ + i * n_ + j, n_);
      });
      Tiles<kColumns>(0, k_, [&](auto side, size_t j) {
        Dots<rows, side>(x, &teacher.unit[j * d_], d_, teachers_ + j, k_);
      });
      Lanes beside[rows];
      for (size_t r = 0; r < rows; ++r) {
        PairStudents(i + r);
        beside[r] = PairTeachers(teachers_ + r * k_, teacher.weight.data());
      }
      Tiles<kColumns>(0, d_, [&](auto side, size_t q) {
        constexpr int columns = side;
        Lanes own[rows][columns], other[rows][columns];
        Combine(students_ + i * n_, x_ + q, n_, d_, own);
        Combine(teachers_, &teacher.unit[q], k_, d_, other);
        Lanes sum = {};
        for (size_t r = 0; r < rows; ++r) {
          Lanes part = {};
          for (size_t c = 0; c < columns; ++c) {
            const Lanes here = x[r * d_ + q + c];
            own[r][c] += along_[i + r] * here;
            other[r][c] += beside[r] * here;
            part += here * (Real(0.5) * own[r][c] - other[r][c]);
            slope_[r * d_ + q + c] = a[i + r] * kPerTurn * (own[r][c] - other[r][c]);
          }
          sum += weight_[i + r] * part;
        }
        total += sum;
      });
      for (size_t l = 0; l < count; ++l)
        for (size_t e = 0; e < rows * d_; ++e) slope[(l * n_ + i) * d_ + e] = slope_[e][l];
    });
    for (size_t l = 0; l < count; ++l) value[l] = total[l] * kPerTurn;
  }

 private:
  // Unit vectors x, and a r; lanes without a student repeat the last one.
  void Load(const Real* W, size_t count, const Real* a) {
    const size_t size = n_ * d_;
    const Real* from[kLanes];
    for (size_t l = 0; l < kLanes; ++l) from[l] = W + (l < count ? l : count - 1) * size;
    for (size_t e = 0; e < size; ++e) {
      Lanes all = {};
#pragma GCC unroll 16
      for (size_t l = 0; l < kLanes; ++l) all[l] = from[l][e];
      x_[e] = all;
    }
    const Lanes zero = {}, one = zero + 1;
    for (size_t i = 0; i < n_; ++i) {
      Lanes square = zero;
      for (size_t q = 0; q < d_; ++q) square += x_[i * d_ + q] * x_[i * d_ + q];
      const Lanes norm = Root(square);
      weight_[i] = a[i] * norm;
      along_[i] = zero;
      const Lanes inverse = 1 / (norm == 0 ? one : norm);
      for (size_t q = 0; q < d_; ++q) x_[i * d_ + q] *= inverse;
    }
  }

  // Turn the cosines with later students into weighted supplements, this row's and, below, those
  // of its column; add up the weighted sines.
  [[gnu::noinline]] void PairStudents(size_t i) {
    Lanes *row = students_ + i * n_, *column = students_ + i;
    const Lanes weight = weight_[i];
    Lanes along = along_[i];
    row[i] = weight * kPi;
    for (size_t j = i + 1; j < n_; ++j) {
      Lanes sine, supplement;
      SineAndSupplement(row[j], sine, supplement);
      row[j] = weight_[j] * supplement;
      column[j * n_] = weight * supplement;
      along += weight_[j] * sine;
      along_[j] += weight * sine;
    }
    along_[i] = along;
  }

  // The same for the cosines with the teachers.
  [[gnu::noinline]] Lanes PairTeachers(Lanes* row, const Real* weight) const {
    Lanes beside = {};
    for (size_t j = 0; j < k_; ++j) {
      Lanes sine, supplement;
      SineAndSupplement(row[j], sine, supplement);
      row[j] = weight[j] * supplement;
      beside += weight[j] * sine;
    }
    return beside;
  }

  size_t n_, k_, d_;
  std::vector<Register> memory_;
  Lanes *x_, *weight_, *along_, *students_, *teachers_, *slope_;
};

// Pieces of work that threads take one by one.  The caller takes part, and waits only for pieces
// that another thread has begun; a helper that comes too late finds none.
template <typename F>
void InPieces(ffi::ThreadPool& pool, size_t pieces, F piece) {
  struct Counts {
    std::atomic<size_t> taken{0}, done{0};
  };
  auto counts = std::make_shared<Counts>();
  const auto take = [counts, pieces, piece] {
    for (size_t p; (p = counts->taken.fetch_add(1)) < pieces;) {
      piece(p);
      counts->done.fetch_add(1, std::memory_order_release);
    }
  };
  const size_t threads = std::max<int64_t>(1, pieces < 2 ? 1 : pool.num_threads());
  for (size_t helper = 1; helper < std::min(pieces, threads); ++helper) pool.Schedule([take] { take(); });
  take();
  while (counts->done.load(std::memory_order_acquire) < pieces) std::this_thread::yield();
}

// The leading axes of an operand, which are a batch: all ones where the batch shares it.
struct Batch {
  std::vector<int64_t> lead;

  Batch(ffi::Span<const int64_t> dims, size_t own) : lead(dims.begin(), dims.end() - own) {}

  bool shared() const {
    return std::all_of(lead.begin(), lead.end(), [](int64_t n) { return n == 1; });
  }

  // Where the operand's part for one run of the whole batch begins, in parts.
  size_t Place(size_t run, const Batch& whole) const {
    size_t place = 0, stride = 1;
    for (size_t axis = lead.size(); axis-- > 0;) {
      const size_t index = run % whole.lead[axis];
      run /= whole.lead[axis];
      if (lead[axis] != 1) place += index * stride;
      stride *= lead[axis];
    }
    return place;
  }
};

using Argument = ffi::Buffer<kType>;
using Result = ffi::ResultBuffer<kType>;

ffi::Error Risk(ffi::ThreadPool pool, Argument W, Argument V, Argument a, Argument b, Result slope,
                Result value) {
  const auto students = W.dimensions(), teachers = V.dimensions();
  const size_t n = students[students.size() - 2], d = students[students.size() - 1];
  const size_t k = teachers[teachers.size() - 2];
  const Batch of_W(students, 2), of_V(teachers, 2), of_a(a.dimensions(), 1),
      of_b(b.dimensions(), 1), whole(value->dimensions(), 0);
  const size_t runs = value->element_count();
  const Real *from = W.typed_data(), *v = V.typed_data(), *as = a.typed_data(), *bs = b.typed_data();
  Real *to = slope->typed_data(), *values = value->typed_data();

  const bool together =
      of_V.shared() && of_a.shared() && of_b.shared() && of_W.lead == whole.lead;
  const size_t size = together ? kLanes : 1;
  const size_t groups = (runs + size - 1) / size;
  // About the nanoseconds of a group; a piece is worth waking a thread.
  const size_t cost = n * (n + k) * (d + 12) + 1;
  const size_t each = 1 + kPiece / cost;
  const Teacher shared(v, bs, together ? k : 0, d);

  InPieces(pool, (groups + each - 1) / each, [=, &shared](size_t piece) {
    Group group(n, k, d);
    for (size_t run = piece * each * size; run < std::min(runs, (piece + 1) * each * size);
         run += size) {
      Real *slope_to = to + run * n * d, *value_to = values + run;
      if (together) {
        group.Run(from + run * n * d, std::min(size, runs - run), as, shared, slope_to, value_to);
      } else {
        const Teacher own(v + of_V.Place(run, whole) * k * d, bs + of_b.Place(run, whole) * k, k, d);
        group.Run(from + of_W.Place(run, whole) * n * d, 1, as + of_a.Place(run, whole) * n, own,
                  slope_to, value_to);
      }
    }
  });
  return ffi::Error::Success();
}

}  // namespace

XLA_FFI_DEFINE_HANDLER_SYMBOL(relu_risk, Risk,
                              ffi::Ffi::Bind()
                                  .Ctx<ffi::ThreadPool>()
                                  .Arg<Argument>()
                                  .Arg<Argument>()
                                  .Arg<Argument>()
                                  .Arg<Argument>()
                                  .Ret<Argument>()
                                  .Ret<Argument>());
