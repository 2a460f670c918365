// Primal and dual points of the basins' least squares under cone constraints, for many problems that
// share their data, on a CPU.
//
// The method and its formulas are those of interior.py, systems.py and dual.py.  A register holds
// the same number of several problems.  A problem that stops makes room for the next one, so none
// waits for its neighbours; what it gets does not depend on them.
//
// native.py compiles this file, with REAL_BITS, 32 or 64.

#include <tuple>

#include "native.h"

namespace {

// The most problems that a thread takes at a time.
constexpr size_t kPiece = 256;

inline Lanes Larger(Lanes x, Lanes y) { return x > y ? x : y; }

inline Lanes Smaller(Lanes x, Lanes y) { return x < y ? x : y; }

// Registers, `count` of them, all 0.
class Numbers {
 public:
  explicit Numbers(size_t count = 0) : memory_(count) {}

  Lanes* get() { return &memory_.data()->lanes; }
  operator Lanes*() { return get(); }
  size_t size() const { return memory_.size(); }

  // Where the mask says so, take what the other has.
  void Take(Mask mask, Numbers& other) {
    for (size_t e = 0; e < size(); ++e) get()[e] = mask ? other.get()[e] : get()[e];
  }

  // Read or write one problem's numbers; their rows, of length `width`, are columns here.
  void Load(size_t lane, const Real* from, size_t width) {
    const size_t rows = size() / width;
    for (size_t i = 0; i < width; ++i)
      for (size_t t = 0; t < rows; ++t) get()[i * rows + t][lane] = from[t * width + i];
  }

  void Store(size_t lane, Real* to, size_t width) {
    const size_t rows = size() / width;
    for (size_t i = 0; i < width; ++i)
      for (size_t t = 0; t < rows; ++t) to[t * width + i] = get()[i * rows + t][lane];
  }

 private:
  std::vector<Register> memory_;
};

// out = x y, for x of `rows` rows of length `count`, and y of rows of length `width`.
template <typename Y>
void Multiply(const Lanes* x, const Y* y, size_t rows, size_t count, size_t width, Lanes* out) {
  Tiles<kRows>(0, rows, [&](auto tile, size_t i) {
    Tiles<kColumns>(0, width, [&](auto side, size_t q) {
      constexpr int high = tile, wide = side;
      Lanes sum[high][wide];
      Combine(x + i * count, y + q, count, width, sum);
      for (int r = 0; r < high; ++r)
        for (int c = 0; c < wide; ++c) out[(i + r) * width + q + c] = sum[r][c];
    });
  });
}

// Where row i of a lower triangle begins, one row after the other.
constexpr size_t Row(size_t i) { return i * (i + 1) / 2; }

// The Cholesky factor of a lower triangle in its place, the diagonal inverted: tile by tile of rows,
// which share what they load.
void FactorInPlace(Lanes* H, size_t size) {
  Tiles<kRows>(0, size, [&](auto tile, size_t i) {
    constexpr size_t high = tile;
    Lanes* rows[high];
    for (size_t r = 0; r < high; ++r) rows[r] = H + Row(i + r);
    for (size_t j = 0; j < i + high; ++j) {
      Lanes* other = H + Row(j);
      Lanes sum[high] = {};
      for (size_t k = 0; k < j; ++k) {
        const Lanes entry = other[k];
#pragma GCC unroll 8
        for (size_t r = 0; r < high; ++r) sum[r] += rows[r][k] * entry;
      }
      // Of rows above j the sum is of numbers that are not theirs, and not used.
      if (j >= i) other[j] = 1 / Root(other[j] - sum[j - i]);
      for (size_t r = j < i ? 0 : j - i + 1; r < high; ++r)
        rows[r][j] = (rows[r][j] - sum[r]) * other[j];
    }
  });
}

// b ← L⁻¹ b.
void Forward(const Lanes* L, size_t size, Lanes* b) {
  for (size_t k = 0; k < size; ++k) {
    const Lanes entry = b[k] *= L[Row(k) + k];
    for (size_t i = k + 1; i < size; ++i) b[i] -= L[Row(i) + k] * entry;
  }
}

// b ← L⁻ᵀ b.
void Backward(const Lanes* L, size_t size, Lanes* b) {
  for (size_t k = size; k-- > 0;) {
    const Lanes* row = L + Row(k);
    const Lanes entry = b[k] *= row[k];
    for (size_t i = 0; i < k; ++i) b[i] -= row[i] * entry;
  }
}

// What all problems share: u, of m rows of length p, y, and the products u_tq u_tr for r <= q.
struct Data {
  size_t m, n, p, pairs;
  std::vector<Real> u, turned, y, outer;

  Data(const Argument& u_of, const Argument& y_of, size_t neurons)
      : m(u_of.dimensions()[0]), n(neurons), p(u_of.dimensions()[1]), pairs(p * (p + 1) / 2),
        u(u_of.typed_data(), u_of.typed_data() + m * p), turned(m * p),
        y(y_of.typed_data(), y_of.typed_data() + m) {
    for (size_t t = 0; t < m; ++t) {
      for (size_t q = 0; q < p; ++q) turned[q * m + t] = u[t * p + q];
      for (size_t q = 0; q < p; ++q)
        for (size_t r = 0; r <= q; ++r) outer.push_back(u[t * p + q] * u[t * p + r]);
    }
  }

  // u_t·z_i of all neurons, (n, m), and Σ_t c_it u_t, (n, p).
  void Heights(const Lanes* z, Lanes* h) const { Multiply(z, turned.data(), n, p, m, h); }
  void Pulled(const Lanes* c, Lanes* z) const { Multiply(c, u.data(), n, m, p, z); }
};

// H = AᵀA + Gᵀ diag(weights) G and what keeps it definite, or by Woodbury's formula each neuron's
// block of the second term and I + Σ_i (L_i⁻¹ u a_i)ᵀ (L_i⁻¹ u a_i).
class System {
 public:
  System(const Data& data, size_t direct, Real least)
      : data_(data), direct_(data.n * data.p <= std::max(data.m, direct)), least_(least),
        size_(direct_ ? data.n * data.p : data.m), whole_(Row(size_)),
        blocks_(data.n * data.pairs), fixed_(direct_ ? Row(size_) : 0), scaled_(direct_ ? 0 : data.n * data.p * data.m),
        back_(data.m), products_(data.m), pair_(data.pairs) {}

  // Take other problems: (Az)_t = Σ_i a_it u_t·z_i.
  void Reset(Lanes* a) {
    a_ = a;
    if (!direct_) return;
    const auto [m, n, p] = std::tuple(data_.m, data_.n, data_.p);
    for (size_t i = 0; i < n; ++i)
      for (size_t j = 0; j <= i; ++j) {
        for (size_t t = 0; t < m; ++t) products_[t] = a[i * m + t] * a[j * m + t];
        Multiply(products_.get(), data_.outer.data(), 1, m, data_.pairs, pair_.get());
        // All of a block beside the diagonal, from its lower triangle, which is that of all.
        for (size_t q = 0; q < p; ++q)
          for (size_t r = 0; r < (i == j ? q + 1 : p); ++r)
            fixed_[Row(i * p + q) + j * p + r] = pair_[Row(std::max(q, r)) + std::min(q, r)];
      }
  }

  void Factor(const Lanes* weights) {
    const auto [m, n, p, pairs] = std::tuple(data_.m, data_.n, data_.p, data_.pairs);
    Multiply(weights, data_.outer.data(), n, m, pairs, blocks_.get());
    for (size_t i = 0; i < n; ++i) {
      Lanes* block = blocks_ + i * pairs;
      Lanes trace = {};
      for (size_t q = 0; q < p; ++q) trace += block[Row(q) + q];
      const Lanes shift = least_ + 8 * kEpsilon * trace;
      for (size_t q = 0; q < p; ++q) block[Row(q) + q] += shift;
    }
    if (direct_) {
      std::copy_n(fixed_.get(), fixed_.size(), whole_.get());
      for (size_t i = 0; i < n; ++i)
        for (size_t q = 0, e = 0; q < p; ++q)
          for (size_t r = 0; r <= q; ++r, ++e)
            whole_[Row(i * p + q) + i * p + r] += blocks_[i * pairs + e];
    } else {
      Reduce();
    }
    FactorInPlace(whole_, size_);
  }

  // z ← H⁻¹ z.
  void Solve(Lanes* z) {
    if (direct_) {
      Forward(whole_, size_, z);
      Backward(whole_, size_, z);
      return;
    }
    const auto [m, n, p] = std::tuple(data_.m, data_.n, data_.p);
    for (size_t i = 0; i < n; ++i) Forward(blocks_ + i * data_.pairs, p, z + i * p);
    Multiply(z, scaled_.get(), 1, n * p, m, back_.get());
    Forward(whole_, m, back_);
    Backward(whole_, m, back_);
    for (size_t e = 0; e < n * p; ++e)
      for (size_t t = 0; t < m; ++t) z[e] -= scaled_[e * m + t] * back_[t];
    for (size_t i = 0; i < n; ++i) Backward(blocks_ + i * data_.pairs, p, z + i * p);
  }

 private:
  void Reduce() {
    const auto [m, n, p] = std::tuple(data_.m, data_.n, data_.p);
    std::fill_n(whole_.get(), whole_.size(), Lanes{});
    for (size_t i = 0; i < n; ++i) {
      Lanes *L = blocks_ + i * data_.pairs, *rows = scaled_ + i * p * m;
      FactorInPlace(L, p);
      for (size_t q = 0; q < p; ++q)
        for (size_t t = 0; t < m; ++t) {
          Lanes entry = data_.turned[q * m + t] * a_[i * m + t];
          for (size_t r = 0; r < q; ++r) entry -= L[Row(q) + r] * rows[r * m + t];
          rows[q * m + t] = entry * L[Row(q) + q];
        }
    }
    for (size_t e = 0; e < n * p; ++e) {
      const Lanes* row = scaled_ + e * m;
      for (size_t t = 0; t < m; ++t)
        for (size_t s = 0; s <= t; ++s) whole_[Row(t) + s] += row[t] * row[s];
    }
    for (size_t t = 0; t < m; ++t) whole_[Row(t) + t] += 1;
  }

  const Data& data_;
  const bool direct_;
  const Real least_;
  const size_t size_;
  Lanes* a_ = nullptr;
  Numbers whole_, blocks_, fixed_, scaled_, back_, products_, pair_;
};

struct Limits {
  Real tolerance;
  int64_t patience, most_steps, direct, rounds;
  Real least;
};

// Where a call reads and writes.
struct Places {
  const Argument &a, &b;
  Result &z, &deep, &errors, &multipliers;
  ffi::ResultBuffer<ffi::S32>& steps;
};

// As many problems as a register holds, on their ways.
class Group {
 public:
  Group(const Data& data, const Limits& limits)
      : data_(data), limits_(limits), every_(data.n * data.m), size_(data.n * data.p),
        system_(data, limits.direct, limits.least), a_(every_), b_(every_), on_(every_),
        z_(size_), s_(every_), l_(every_), best_z_(size_), best_l_(every_), deep_(size_),
        depth_(data.n), h_(every_), short_(every_), slope_(size_), errors_(data.m),
        inverse_s_(every_), inverse_l_(every_), product_(every_), work_(every_), dz_(size_), ds_(every_), dl_(every_) {}

  // Solve problems first, ..., last − 1, and find dual points of them.
  void Run(size_t first, size_t last, const Places& places) {
    first_ = first;
    found_.resize((last - first) * every_);
    Descend(first, last, places);
    for (size_t at = first; at < last; at += kLanes)
      for (size_t kept = 0; kept < 2; ++kept) Duals(at, std::min(kLanes, last - at), kept, places);
  }

 private:
  void Descend(size_t next, size_t last, const Places& places) {
    std::array<size_t, kLanes> of;
    Mask busy = {};
    going_ = Mask{};
    for (;;) {
      bool fresh = false;
      for (size_t l = 0; l < kLanes; ++l) {
        if (going_[l]) continue;
        if (busy[l]) Finish(l, of[l], places);
        busy[l] = next < last ? -1 : 0;
        if (!busy[l]) continue;
        Begin(l, of[l] = next++, places);
        fresh = true;
      }
      if (!Any(busy)) return;
      if (fresh) system_.Reset(a_);
      do {
        Look();
        if (Any(going_)) Step();
      } while (!Any(busy & ~going_));
    }
  }

  void Begin(size_t lane, size_t problem, const Places& places) {
    LoadConstraints(lane, problem, places);
    for (size_t e = 0; e < every_; ++e) {
      s_[e][lane] = 1;
      l_[e][lane] = on_[e][lane];
    }
    for (size_t e = 0; e < size_; ++e) z_[e][lane] = best_z_[e][lane] = deep_[e][lane] = 0;
    for (size_t e = 0; e < every_; ++e) best_l_[e][lane] = l_[e][lane];
    for (size_t i = 0; i < data_.n; ++i) depth_[i][lane] = 0;
    count_[lane] = 0;
    for (size_t e = 0; e < every_; ++e) count_[lane] += on_[e][lane];
    count_[lane] = std::max<Real>(count_[lane], 1);
    merit_[lane] = INFINITY;
    steps_[lane] = stale_[lane] = 0;
    going_[lane] = -1;
  }

  void LoadConstraints(size_t lane, size_t problem, const Places& places) {
    a_.Load(lane, places.a.typed_data() + problem * every_, data_.n);
    b_.Load(lane, places.b.typed_data() + problem * every_, data_.n);
    for (size_t e = 0; e < every_; ++e) on_[e][lane] = std::abs(b_[e][lane]);
  }

  void Finish(size_t lane, size_t problem, const Places& places) {
    best_z_.Store(lane, places.z->typed_data() + problem * size_, data_.n);
    deep_.Store(lane, places.deep->typed_data() + problem * size_, data_.n);
    best_l_.Store(lane, &found_[(problem - first_) * every_], data_.n);
    places.steps->typed_data()[problem] = steps_[lane];
  }

  // errors_t = Σ_i a_it h_it.
  void Sum() {
    for (size_t t = 0; t < data_.m; ++t) {
      Lanes sum = {};
      for (size_t i = 0; i < data_.n; ++i) sum += a_[i * data_.m + t] * h_[i * data_.m + t];
      errors_[t] = sum;
    }
  }

  // Aᵀ errors − Gᵀλ.
  void Slopes() {
    const size_t m = data_.m;
    for (size_t e = 0; e < every_; e += m)
      for (size_t t = 0; t < m; ++t) work_[e + t] = a_[e + t] * errors_[t] - b_[e + t] * l_[e + t];
    data_.Pulled(work_, slope_);
  }

  // Residuals; the best iterate so far, the deepest one, and which problems go on.
  void Look() {
    const Lanes zero = {};
    data_.Heights(z_, h_);
    Sum();
    for (size_t t = 0; t < data_.m; ++t) errors_[t] -= data_.y[t];
    Lanes shorts = zero, slopes = zero;
    gap_ = zero;
    Slopes();
    for (size_t e = 0; e < every_; ++e) {
      short_[e] = on_[e] * (b_[e] * h_[e] - s_[e]);
      shorts += short_[e] * short_[e];
      gap_ += s_[e] * l_[e];
    }
    for (size_t e = 0; e < size_; ++e) slopes += slope_[e] * slope_[e];
    const Lanes merit = Root(shorts) + Root(slopes) + gap_;
    const Mask better = going_ & (merit < merit_);
    best_z_.Take(better, z_);
    best_l_.Take(better, l_);
    merit_ = better ? merit : merit_;
    stale_ = better ? zero : stale_ + 1;
    for (size_t i = 0; i < data_.n; ++i) Deepen(i);
    // A merit that is not finite stays so.
    going_ &= (merit > limits_.tolerance) & (merit < INFINITY);
    going_ &= (stale_ < Real(limits_.patience)) & (steps_ < Real(limits_.most_steps));
    steps_ += going_ ? zero + 1 : zero;
  }

  // Keep the z_i whose angle with its cone's boundary is largest.
  void Deepen(size_t i) {
    const auto [m, p] = std::tuple(data_.m, data_.p);
    const Lanes zero = {}, one = zero + 1;
    Lanes inside = zero + INFINITY, square = zero;
    for (size_t e = i * m; e < (i + 1) * m; ++e)
      inside = b_[e] != 0 ? Smaller(b_[e] * h_[e], inside) : inside;
    for (size_t e = i * p; e < (i + 1) * p; ++e) square += z_[e] * z_[e];
    const Lanes depth = inside / (square > 0 ? Root(square) : one);
    const Mask deeper = going_ & (depth > depth_[i]);
    depth_[i] = deeper ? depth : depth_[i];
    for (size_t e = i * p; e < (i + 1) * p; ++e) deep_[e] = deeper ? z_[e] : deep_[e];
  }

  // One predictor and corrector step of the problems that go on.
  void Step() {
    const Lanes zero = {}, one = zero + 1;
    for (size_t e = 0; e < every_; ++e) {
      // One division for both.
      const Lanes both = 1 / (s_[e] * (on_[e] > 0 ? l_[e] : one));
      inverse_s_[e] = l_[e] * both;
      inverse_l_[e] = s_[e] * both;
      work_[e] = l_[e] * inverse_s_[e];
      product_[e] = s_[e] * l_[e];
    }
    system_.Factor(work_);
    Direction();
    const Lanes share = Reach(), mean = gap_ / count_;
    Lanes ahead = zero;
    for (size_t e = 0; e < every_; ++e)
      ahead += on_[e] * (s_[e] + share * ds_[e]) * (l_[e] + share * dl_[e]);
    const Lanes ratio = ahead / count_ / (mean > 0 ? mean : one);
    const Lanes target =
        Larger(ratio * ratio * ratio * mean, Real(0.3) * limits_.tolerance / count_);
    for (size_t e = 0; e < every_; ++e)
      product_[e] = on_[e] * (s_[e] * l_[e] + ds_[e] * dl_[e] - target);
    Direction();
    // Nearly to the boundary, the nearer the closer the end is.
    const Lanes most = Smaller(Larger(1 - mean, zero + Real(0.99)), zero + Real(0.9995));
    const Lanes length = Reach() * most;
    for (size_t e = 0; e < size_; ++e) z_[e] += length * dz_[e];
    for (size_t e = 0; e < every_; ++e) {
      s_[e] += length * ds_[e];
      l_[e] += length * dl_[e];
    }
  }

  void Direction() {
    for (size_t e = 0; e < every_; ++e)
      work_[e] = b_[e] * ((product_[e] + l_[e] * short_[e]) * inverse_s_[e]);
    data_.Pulled(work_, dz_);
    for (size_t e = 0; e < size_; ++e) dz_[e] = -slope_[e] - dz_[e];
    system_.Solve(dz_);
    data_.Heights(dz_, work_);
    for (size_t e = 0; e < every_; ++e) {
      ds_[e] = on_[e] * (b_[e] * work_[e] + short_[e]);
      dl_[e] = -(product_[e] + l_[e] * ds_[e]) * inverse_s_[e];
    }
  }

  // The largest step up to 1 that leaves s and λ at least 0.
  Lanes Reach() {
    Lanes fastest = Lanes{} + 1;
    for (size_t e = 0; e < every_; ++e) {
      const Lanes fall = Larger(-ds_[e] * inverse_s_[e], -dl_[e] * inverse_l_[e]);
      fastest = Larger(fall, fastest);
    }
    return 1 / fastest;
  }

  // Dual points: the residuals' least change that makes them feasible, with all multipliers or
  // with those of tight constraints alone.
  void Duals(size_t first, size_t count, size_t kept, const Places& places) {
    const auto [m, n] = std::tuple(data_.m, data_.n);
    const Lanes zero = {};
    for (size_t l = 0; l < kLanes; ++l) {
      const size_t problem = first + std::min(l, count - 1);
      LoadConstraints(l, problem, places);
      z_.Load(l, places.z->typed_data() + problem * size_, n);
      l_.Load(l, &found_[(problem - first_) * every_], n);
    }
    data_.Heights(z_, h_);
    Sum();
    for (size_t t = 0; t < m; ++t) errors_[t] -= data_.y[t];
    for (size_t e = 0; e < every_; ++e) {
      const Mask keep = kept == 0 ? b_[e] != 0 : l_[e] > b_[e] * h_[e];
      dl_[e] = l_[e] = keep ? l_[e] : zero;
    }
    system_.Reset(a_);
    system_.Factor(dl_);
    for (int64_t round = 0; round < limits_.rounds; ++round) {
      Slopes();
      for (size_t e = 0; e < size_; ++e) z_[e] = -slope_[e];
      system_.Solve(z_);
      data_.Heights(z_, h_);
      for (size_t e = 0; e < every_; ++e) {
        const Lanes moved = l_[e] - dl_[e] * b_[e] * h_[e];
        l_[e] = moved < 0 ? zero : moved;
      }
      std::copy_n(errors_.get(), m, work_.get());
      Sum();
      for (size_t t = 0; t < m; ++t) errors_[t] += work_[t];
    }
    for (size_t l = 0; l < count; ++l) {
      const size_t place = 2 * (first + l) + kept;
      errors_.Store(l, places.errors->typed_data() + place * m, 1);
      l_.Store(l, places.multipliers->typed_data() + place * every_, n);
    }
  }

  const Data& data_;
  const Limits& limits_;
  const size_t every_, size_;
  System system_;
  Numbers a_, b_, on_, z_, s_, l_, best_z_, best_l_, deep_, depth_, h_, short_, slope_, errors_;
  Numbers inverse_s_, inverse_l_, product_, work_, dz_, ds_, dl_;
  Lanes gap_ = {}, merit_ = {}, stale_ = {}, steps_ = {}, count_ = {};
  Mask going_ = {};
  // The multipliers of the best iterates of the problems from first_ on.
  size_t first_ = 0;
  std::vector<Real> found_;
};

ffi::Error Solve(ffi::ThreadPool pool, Argument u, Argument y, Argument a, Argument b, Result z,
                 Result deep, Result errors, Result multipliers,
                 ffi::ResultBuffer<ffi::S32> steps, double tolerance, int64_t patience,
                 int64_t most_steps, int64_t direct, double least, int64_t rounds) {
  const size_t count = a.dimensions()[0];
  const Data data(u, y, a.dimensions()[2]);
  const Limits limits{Real(tolerance), patience, most_steps, direct, rounds, Real(least)};
  const Places places{a, b, z, deep, errors, multipliers, steps};
  const size_t shares = 4 * std::max<int64_t>(1, pool.num_threads());
  const size_t piece = std::clamp<size_t>((count + shares - 1) / shares, kLanes, kPiece);
  InPieces(pool, (count + piece - 1) / piece, [&](size_t part) {
    Group(data, limits).Run(part * piece, std::min(count, (part + 1) * piece), places);
  });
  return ffi::Error::Success();
}

}  // namespace

XLA_FFI_DEFINE_HANDLER_SYMBOL(basin_points, Solve,
                              ffi::Ffi::Bind()
                                  .Ctx<ffi::ThreadPool>()
                                  .Arg<Argument>()
                                  .Arg<Argument>()
                                  .Arg<Argument>()
                                  .Arg<Argument>()
                                  .Ret<Argument>()
                                  .Ret<Argument>()
                                  .Ret<Argument>()
                                  .Ret<Argument>()
                                  .Ret<ffi::Buffer<ffi::S32>>()
                                  .Attr<double>("tolerance")
                                  .Attr<int64_t>("patience")
                                  .Attr<int64_t>("most_steps")
                                  .Attr<int64_t>("direct")
                                  .Attr<double>("least")
                                  .Attr<int64_t>("rounds"));
