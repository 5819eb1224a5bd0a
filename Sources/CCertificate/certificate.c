// SPDX-License-Identifier: GPL-3.0-or-later
#include "ccertificate.h"
#include <gnutls/abstract.h>
#include <gnutls/x509.h>
#include <string.h>

// 2000-01-01 and 9999-12-31T23:59:59: a key is valid for as long as its holder keeps it.
static const time_t valid_from = 946684800;
static const time_t valid_until = 253402300799;
static const uint8_t serial_number[] = {1};

// MARK: Ours

static bool import_key(gnutls_x509_privkey_t private_key, const uint8_t *seed, const uint8_t *key) {
    gnutls_datum_t k = {(uint8_t *)seed, CC_KEY_SIZE}, x = {(uint8_t *)key, CC_KEY_SIZE};
    return gnutls_x509_privkey_import_ecc_raw(private_key, GNUTLS_ECC_CURVE_ED25519, &x, NULL, &k) == 0;
}

static bool self_sign(gnutls_x509_crt_t certificate, gnutls_x509_privkey_t private_key, const char *common_name) {
    return gnutls_x509_crt_set_version(certificate, 3) == 0
        && gnutls_x509_crt_set_serial(certificate, serial_number, sizeof serial_number) == 0
        && gnutls_x509_crt_set_activation_time(certificate, valid_from) == 0
        && gnutls_x509_crt_set_expiration_time(certificate, valid_until) == 0
        && gnutls_x509_crt_set_dn_by_oid(
               certificate, GNUTLS_OID_X520_COMMON_NAME, 0, common_name, (unsigned)strlen(common_name)) == 0
        && gnutls_x509_crt_set_key(certificate, private_key) == 0
        && gnutls_x509_crt_sign2(certificate, certificate, private_key, GNUTLS_DIG_SHA512, 0) == 0;
}

static bool certify(
    gnutls_certificate_credentials_t credentials, const uint8_t *seed, const uint8_t *key, const char *common_name) {
    gnutls_x509_privkey_t private_key = NULL;
    gnutls_x509_crt_t certificate = NULL;
    bool made = gnutls_x509_privkey_init(&private_key) == 0 && gnutls_x509_crt_init(&certificate) == 0
        && import_key(private_key, seed, key) && self_sign(certificate, private_key, common_name)
        && gnutls_certificate_set_x509_key(credentials, &certificate, 1, private_key) == 0;
    if (certificate) gnutls_x509_crt_deinit(certificate);
    if (private_key) gnutls_x509_privkey_deinit(private_key);
    return made;
}

gnutls_certificate_credentials_t cc_credentials_new(const uint8_t *seed, const uint8_t *key, const char *common_name) {
    gnutls_certificate_credentials_t credentials;
    if (gnutls_certificate_allocate_credentials(&credentials) != 0) return NULL;
    if ((!seed && !key) || (seed && key && certify(credentials, seed, key, common_name))) return credentials;
    gnutls_certificate_free_credentials(credentials);
    return NULL;
}

// MARK: The other side's

static bool ed25519_key(gnutls_x509_crt_t certificate, uint8_t *key) {
    gnutls_ecc_curve_t curve;
    gnutls_datum_t x = {0}, y = {0};
    if (gnutls_x509_crt_get_pk_ecc_raw(certificate, &curve, &x, &y) != 0) return false;
    bool fits = curve == GNUTLS_ECC_CURVE_ED25519 && x.size == CC_KEY_SIZE;
    if (fits) memcpy(key, x.data, CC_KEY_SIZE);
    gnutls_free(x.data);
    gnutls_free(y.data);
    return fits;
}

bool cc_peer_key(gnutls_session_t session, uint8_t key[CC_KEY_SIZE]) {
    unsigned count = 0;
    const gnutls_datum_t *chain = gnutls_certificate_get_peers(session, &count);
    gnutls_x509_crt_t certificate;
    if (!chain || count != 1 || gnutls_certificate_type_get2(session, GNUTLS_CTYPE_PEERS) != GNUTLS_CRT_X509
        || gnutls_x509_crt_init(&certificate) != 0) {
        return false;
    }
    bool found = gnutls_x509_crt_import(certificate, chain, GNUTLS_X509_FMT_DER) == 0
        && ed25519_key(certificate, key);
    gnutls_x509_crt_deinit(certificate);
    return found;
}
