// Package credentials writes what an API server of a test environment and its
// clients know each other by: tokens instead of certificates, for nobody else
// can reach either.
package credentials
