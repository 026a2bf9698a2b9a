package credentials

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"strings"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// WriteKey writes the key with which the API server signs the tokens of
// ServiceAccounts.
func WriteKey(path string) error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return fmt.Errorf("make the ServiceAccounts' key: %w", err)
	}
	block := &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}
	return os.WriteFile(path, pem.EncodeToMemory(block), 0o600)
}

// User is somebody whom the API server knows by a token.
type User struct {
	Token, Name, Group string
}

// NewUser returns a user with a token that nobody can guess.
func NewUser(name, group string) User { return User{rand.Text(), name, group} }

// WriteTokens writes the file for kube-apiserver's --token-auth-file.
func WriteTokens(path string, users ...User) error {
	var lines strings.Builder
	for _, u := range users {
		_, _ = fmt.Fprintf(&lines, "%s,%s,%s,%s\n", u.Token, u.Name, u.Name, u.Group)
	}
	return os.WriteFile(path, []byte(lines.String()), 0o600)
}

// WriteKubeconfig writes a user's kubeconfig for the server, whose certificate
// was signed by authority, in PEM. The context has the name.
func WriteKubeconfig(path, name, server string, authority []byte, token string) error {
	config := clientcmdapi.NewConfig()
	config.Clusters[name] = &clientcmdapi.Cluster{Server: server, CertificateAuthorityData: authority}
	config.AuthInfos[name] = &clientcmdapi.AuthInfo{Token: token}
	config.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name}
	config.CurrentContext = name
	return clientcmd.WriteToFile(*config, path)
}
