//go:build race

package oracledouble_test

const underRace = true
