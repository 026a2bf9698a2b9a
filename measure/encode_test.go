package measure

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/binary"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"pgregory.net/rapid"
)

// bar is a latency and how often it was recorded.
type bar struct {
	latency time.Duration
	count   int64
}

func counts(h *Histogram) (bars []bar) {
	for latency, count := range h.Counts() {
		bars = append(bars, bar{latency, count})
	}
	return bars
}

func encode(t testing.TB, h *Histogram) []byte {
	t.Helper()
	encoded, err := h.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}

func histogram(latencies ...time.Duration) *Histogram {
	h := new(Histogram)
	for _, d := range latencies {
		h.Record(d)
	}
	return h
}

// drawBars are latencies inside and outside the range, at times none, and in
// sum about as often few as many.
func drawBars(t *rapid.T, name string) []bar {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) bar {
		nanos := rapid.Int64Range(-1, int64(2*MaxLatency)).Draw(t, "nanos")
		return bar{time.Duration(nanos), rapid.Int64Range(1, maxFew/8).Draw(t, "count")}
	}), 0, 50).Draw(t, name)
}

func drawHistogram(t *rapid.T) *Histogram {
	h := new(Histogram)
	for _, b := range drawBars(t, "latencies") {
		h.RecordN(b.latency, b.count)
	}
	return h
}

func TestEncodingKeepsEveryCountButNotWhatSaturated(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := drawHistogram(t)
		encoded, err := h.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := DecodeHistogram(encoded)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(counts(got), counts(h)) {
			t.Fatalf("%v became %v", counts(h), counts(got))
		}
		if got.Saturated() != 0 {
			t.Fatalf("%d saturated values came from nowhere", got.Saturated())
		}
	})
}

func TestEmptyHistogramHasAnEncoding(t *testing.T) {
	h := new(Histogram)
	got, err := DecodeHistogram(encode(t, h))
	if err != nil {
		t.Fatal(err)
	}
	if *h != (Histogram{}) || *got != (Histogram{}) {
		t.Errorf("a histogram without values has memory for them: %v, %v", h, got)
	}
}

// hdrhistogram-go says which values each count of a foreign histogram stands
// for, and is so the judge of our arithmetic.
func TestForeignHistogramIsBroughtIntoOurs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		highest := rapid.Int64Range(int64(time.Microsecond), int64(time.Hour)).Draw(t, "highest")
		foreign := hdrhistogram.Import(&hdrhistogram.Snapshot{
			LowestTrackableValue:  rapid.Int64Range(0, highest).Draw(t, "lowest"),
			HighestTrackableValue: highest,
			SignificantFigures:    rapid.Int64Range(0, 5).Draw(t, "digits"),
		})
		for _, v := range rapid.SliceOfN(rapid.Int64Range(0, highest), 0, 50).Draw(t, "values") {
			if err := foreign.RecordValue(v); err != nil {
				t.Fatal(err)
			}
		}
		encoded, err := foreign.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
		if err != nil {
			t.Fatal(err)
		}
		got, err := DecodeHistogram(encoded)
		if err != nil {
			t.Fatal(err)
		}
		want, above := new(Histogram), int64(0)
		for _, bar := range foreign.Distribution() {
			for range bar.Count {
				want.Record(min(time.Duration(bar.From+(bar.To-bar.From+1)/2), MaxLatency))
			}
			if bar.From > int64(MaxLatency) {
				above += bar.Count
			}
		}
		if !slices.Equal(counts(got), counts(want)) {
			t.Fatalf("%v became %v, want %v", foreign.Distribution(), counts(got), counts(want))
		}
		if got.Saturated() != above {
			t.Fatalf("%d saturated, want %d", got.Saturated(), above)
		}
	})
}

func TestForeignValuesOutsideTheRangeSaturate(t *testing.T) {
	for _, tc := range []struct {
		value, want time.Duration
		saturated   int64
	}{
		{0, MinLatency, 0},
		{900, MinLatency, 0},
		{1100, 1100, 0},
		{MaxLatency - time.Second, MaxLatency - time.Second, 0},
		{MaxLatency, MaxLatency, 0},
		{MaxLatency + 20*time.Millisecond, MaxLatency, 0}, // not told from 60 s
		{MaxLatency + 40*time.Millisecond, MaxLatency, 1},
		{math.MaxInt64, MaxLatency, 1},
	} {
		foreign := hdrhistogram.New(1, math.MaxInt64, 3)
		if err := foreign.RecordValue(int64(tc.value)); err != nil {
			t.Fatal(err)
		}
		encoded, err := foreign.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
		if err != nil {
			t.Fatal(err)
		}
		h, err := DecodeHistogram(encoded)
		if err != nil {
			t.Fatal(err)
		}
		if off := h.Max() - tc.want; off.Abs() > tc.want/1000+time.Microsecond {
			t.Errorf("%v became %v, want %v", tc.value, h.Max(), tc.want)
		}
		if h.Saturated() != tc.saturated {
			t.Errorf("%v: %d saturated, want %d", tc.value, h.Saturated(), tc.saturated)
		}
	}
}

// inflated is a histogram before its compression, with the header's fields in
// their order. Nothing of it need be true.
type inflated struct {
	Cookie, Size, Offset, Digits int32
	Lowest, Highest              int64
	Ratio                        float64
	payload                      []byte
}

func valid(payload ...byte) inflated {
	return inflated{
		Cookie: hdrhistogram.V2EncodingCookieBase | 0x10, Size: int32(len(payload)), Digits: 3,
		Lowest: 1, Highest: int64(time.Hour), Ratio: 1, payload: payload,
	}
}

func (in inflated) bytes() []byte {
	var b bytes.Buffer
	for _, field := range []any{in.Cookie, in.Size, in.Offset, in.Digits, in.Lowest, in.Highest, in.Ratio} {
		_ = binary.Write(&b, binary.BigEndian, field) // a Buffer takes everything
	}
	return append(b.Bytes(), in.payload...)
}

// deflate compresses a histogram and puts the outer header before it.
func deflate(raw []byte) []byte {
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	_, _ = z.Write(raw)
	_ = z.Close()
	return wrap(hdrhistogram.V2CompressedEncodingCookieBase|0x10, b.Bytes())
}

func wrap(cookie int32, compressed []byte) []byte {
	out := binary.BigEndian.AppendUint32(nil, uint32(cookie))
	out = binary.BigEndian.AppendUint32(out, uint32(len(compressed)))
	return reencode(append(out, compressed...))
}

func reencode(raw []byte) []byte { return []byte(base64.StdEncoding.EncodeToString(raw)) }

// with changes a valid histogram.
func with(change func(*inflated), payload ...byte) []byte {
	in := valid(payload...)
	change(&in)
	return deflate(in.bytes())
}

// largest is the largest count there is, as the format writes numbers.
var largest = []byte{0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

func TestBrokenHistogramsAreRefused(t *testing.T) {
	whole := encode(t, histogram(time.Millisecond, time.Second))
	raw, err := base64.StdEncoding.DecodeString(string(whole))
	if err != nil {
		t.Fatal(err)
	}
	unsummed := bytes.Clone(raw)
	unsummed[len(raw)-1] ^= 1

	for _, tc := range []struct {
		name  string
		input []byte
		want  string
	}{
		{"nothing", nil, "0 bytes are too few"},
		{"a word", []byte("histogram!"), "illegal base64"},
		{"too short", reencode(raw[:7]), "7 bytes are too few"},
		{"version 1", wrap(0x1c849302, raw[8:]), "cookie 0x1c849302 is not that of a V2 histogram"},
		{"a histogram of floats", wrap(0x0c72124f, raw[8:]), "not that of a V2 histogram of integers"},
		{"cut off", reencode(raw[:len(raw)-3]), "the end is cut off"},
		{"not compressed", wrap(hdrhistogram.V2CompressedEncodingCookieBase, []byte("plain text")), "zlib: invalid header"},
		{"compressed data cut off", wrap(hdrhistogram.V2CompressedEncodingCookieBase, raw[8:len(raw)-8]), "unexpected EOF"},
		{"wrong checksum", reencode(unsummed), "checksum"},
		{"no header", deflate(nil), "header: EOF"},
		{"half a header", deflate(valid().bytes()[:20]), "header: unexpected EOF"},
		{"other version within", with(func(in *inflated) { in.Cookie = 0x1c849301 }), "header: cookie 0x1c849301"},
		{"negative size", with(func(in *inflated) { in.Size = -1 }), "-1 bytes of counts"},
		{"six digits", with(func(in *inflated) { in.Digits = 6 }), "6 significant digits: want 0 to 5"},
		{"minus one digit", with(func(in *inflated) { in.Digits = -1 }), "-1 significant digits"},
		{"coarser than 63 bits", with(func(in *inflated) { in.Lowest = 1 << 52 }), "too large for 3 significant digits"},
		{"more counts than said", with(func(in *inflated) { in.Size = 1 }, 2, 2), "more after the counts"},
		{"fewer counts than said", with(func(in *inflated) { in.Size = 3 }, 2, 2), "counts end 1 bytes early"},
		{"half a count", with(func(*inflated) {}, 2, 0x80), "counts: unexpected EOF"},
		{"zeros past the end", with(func(*inflated) {}, 0xff, 0xff, 0xff, 0x7f), "more than the resolution has"},
		{"most negative run", with(func(*inflated) {}, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), "more than the resolution has"},
		{"a count past the end", with(func(in *inflated) { in.Digits, in.Lowest = 0, 1<<61 }, 2, 2, 2, 2), "more than the resolution has"},
		{"sum over 63 bits", with(func(*inflated) {}, append(largest, 2)...), "overflow the total"},
	} {
		h, err := DecodeHistogram(tc.input)
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: error %q, want one with %q", tc.name, err, tc.want)
		}
		if h != nil {
			t.Errorf("%s: a histogram beside the error", tc.name)
		}
	}
}

func TestLenienceTowardsOtherWriters(t *testing.T) {
	raw, err := base64.StdEncoding.DecodeString(string(encode(t, histogram(MinLatency))))
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name  string
		input []byte
	}{
		{"lowest value 0, which means 1", with(func(in *inflated) { in.Lowest = 0 }, 2)},
		{"offset of shifted counts", with(func(in *inflated) { in.Offset = 1 }, 2)},
		{"the rest of a buffer behind it", reencode(append(raw, 0, 0, 0, 0))},
		{"the largest count", deflate(valid(largest...).bytes())},
	} {
		h, err := DecodeHistogram(tc.input)
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		if h.Count() == 0 || len(counts(h)) != 1 || h.Min() != MinLatency {
			t.Errorf("%s: %v, want %v alone", tc.name, counts(h), MinLatency)
		}
	}
}

// All counts of the finest resolution there is would be 48 MB, and here is a
// byte for each of them.
func TestDecodingNeedsNoMoreMemoryThanItsInputAndOneHistogram(t *testing.T) {
	input := with(func(in *inflated) { in.Digits, in.Highest = 5, math.MaxInt64 }, make([]byte, 47<<17)...)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	h, err := DecodeHistogram(input)
	runtime.ReadMemStats(&after)
	if err != nil || h.Count() != 0 {
		t.Fatalf("%d values, error %v; want none", h.Count(), err)
	}
	if got := after.TotalAlloc - before.TotalAlloc; got > 1<<20 {
		t.Errorf("%d bytes of input took %d bytes of memory", len(input), got)
	}
}

// What is decoded at all is a sound histogram. Compression hides the format's
// inside from the fuzzer, so bare input is compressed here.
func FuzzDecodeHistogram(f *testing.F) {
	f.Add(encode(f, histogram(time.Millisecond, time.Hour)), false)
	f.Add([]byte("HISTFAAAACd42pJpmSzMwMDAyAABzFDqBQMDA+8P9wgG+w9QGUAAAAD//2GWBQk="), false)
	f.Add(valid(2, 3, 0, 0x81, 0x10).bytes(), true)
	f.Add(valid(append(largest, largest...)...).bytes(), true)
	f.Fuzz(func(t *testing.T, input []byte, bare bool) {
		if bare {
			input = deflate(input)
		}
		h, err := DecodeHistogram(input)
		if err != nil {
			return
		}
		if h.Count() < 0 || h.Saturated() < 0 || h.Saturated() > h.Count() {
			t.Fatalf("%d values, %d of them saturated", h.Count(), h.Saturated())
		}
		if h.Count() > 0 && (h.Min() < MinLatency || h.Max() > MaxLatency || h.Min() > h.Max()) {
			t.Fatalf("from %v to %v", h.Min(), h.Max())
		}
		again, err := DecodeHistogram(encode(t, h))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(counts(again), counts(h)) {
			t.Fatalf("%v became %v", counts(h), counts(again))
		}
	})
}
