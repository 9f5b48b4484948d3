// SPDX-License-Identifier: Apache-2.0

package view

import (
	"fmt"
	"strconv"

	"beltrace/collector/model"
)

// None is shown for a value that is not known.
const None = "–"

// Dur writes a duration in ns with two or three digits and its unit: 420 ns, 8.4 µs, 48 ms, 1.9 s, 3m12s.
func Dur(ns int64) string {
	if ns < 0 {
		return "-" + Dur(-ns)
	}
	const us, ms, s = 1e3, 1e6, 1e9
	v := float64(ns)
	switch {
	case ns < us:
		return fmt.Sprintf("%d ns", ns)
	case v < 999.5*us:
		return digits(v/us) + " µs"
	case v < 999.5*ms:
		return digits(v/ms) + " ms"
	case v < 99.5*s:
		return digits(v/s) + " s"
	}
	return long(int64(v/s + 0.5))
}

func long(sec int64) string {
	switch {
	case sec < 3600:
		return fmt.Sprintf("%dm%02ds", sec/60, sec%60)
	case sec < 24*3600:
		return fmt.Sprintf("%dh%02dm", sec/3600, sec/60%60)
	}
	return fmt.Sprintf("%dd%02dh", sec/86400, sec/3600%24)
}

// digits writes a number below 1000 with one decimal when it is below 10.
func digits(v float64) string {
	if v < 9.95 {
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 0, 64)
}

// seconds writes a duration in ns as seconds with milliseconds.
func seconds(ns int64) string { return fmt.Sprintf("%.3f s", float64(ns)/1e9) }

// Bytes writes a number of bytes in decimal units: 812 B, 1.2 kB, 48 MB.
func Bytes(n uint64) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	v, units := float64(n), []string{"kB", "MB", "GB", "TB", "PB", "EB"}
	i := -1
	for v >= 999.5 && i < len(units)-1 {
		v /= 1000
		i++
	}
	return digits(v) + " " + units[i]
}

// Count writes a number, above 9999 with a decimal unit: 812, 12.3k, 4.1M.
func Count(n uint64) string {
	if n < 10000 {
		return strconv.FormatUint(n, 10)
	}
	return short(float64(n))
}

func short(v float64) string {
	for _, u := range []string{"k", "M", "G", "T"} {
		v /= 1000
		if v < 99.95 {
			return strconv.FormatFloat(v, 'f', 1, 64) + u
		}
		if v < 999.5 {
			return strconv.FormatFloat(v, 'f', 0, 64) + u
		}
	}
	return strconv.FormatFloat(v, 'f', 0, 64) + "T"
}

// Rate writes a number per second, without the unit: 0.4, 41, 1.2k.
func Rate(v float64) string {
	switch {
	case v <= 0:
		return "0"
	case v < 0.05:
		return "<0.1"
	case v < 999.5:
		return digits(v)
	}
	return short(v)
}

// Share writes a share of one as percent: 0.8 %, 12 %.
func Share(v float64) string {
	if v > 0 && v < 0.0005 {
		return "<0.1 %"
	}
	return digits(v*100) + " %"
}

// Plural writes a count with its noun: 1 listener, 3 listeners.
func Plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return Count(uint64(n)) + " " + many
}

// optional writes a value, or None if it is not known.
func optional[T any](o model.Opt[T], write func(T) string) string {
	if !o.Known {
		return None
	}
	return write(o.V)
}

func optDur(o model.Opt[int64]) string    { return optional(o, Dur) }
func optBytes(o model.Opt[uint64]) string { return optional(o, Bytes) }

// optExact is a number of which each digit matters: a thread's, a descriptor's, a setting.
func optExact[T ~uint32 | ~uint64 | ~int32](o model.Opt[T]) string {
	return optional(o, func(v T) string { return fmt.Sprint(v) })
}

func optCount[T ~uint32 | ~uint64 | ~int32](o model.Opt[T]) string {
	return optional(o, func(v T) string { return Count(uint64(v)) })
}
