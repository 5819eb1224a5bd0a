// SPDX-License-Identifier: GPL-3.0-or-later
#include "compat.h"

#if NGTCP2_VERSION_NUM >= 0x010000
typedef ngtcp2_ccerr close_error;
#define close_error_default ngtcp2_ccerr_default
#define close_error_set_application(error, code) ngtcp2_ccerr_set_application_error(error, code, NULL, 0)
#define close_error_set_alert(error, alert) ngtcp2_ccerr_set_tls_alert(error, alert, NULL, 0)
#define close_error_set_library(error, code) ngtcp2_ccerr_set_liberr(error, code, NULL, 0)
#define APPLICATION_ERROR NGTCP2_CCERR_TYPE_APPLICATION
#else
typedef ngtcp2_connection_close_error close_error;
#define close_error_default ngtcp2_connection_close_error_default
#define close_error_set_application(error, code) \
    ngtcp2_connection_close_error_set_application_error(error, code, NULL, 0)
#define close_error_set_alert(error, alert) \
    ngtcp2_connection_close_error_set_transport_error_tls_alert(error, alert, NULL, 0)
#define close_error_set_library(error, code) \
    ngtcp2_connection_close_error_set_transport_error_liberr(error, code, NULL, 0)
#define APPLICATION_ERROR NGTCP2_CONNECTION_CLOSE_ERROR_CODE_TYPE_APPLICATION
#endif

cq_stat cq_compat_stat(ngtcp2_conn *conn) {
#if NGTCP2_VERSION_NUM >= 0x010000
    ngtcp2_conn_info stat;
    ngtcp2_conn_get_conn_info(conn, &stat);
    bool has_rtt = stat.latest_rtt != 0;
#else
    ngtcp2_conn_stat stat;
    ngtcp2_conn_get_conn_stat(conn, &stat);
    bool has_rtt = stat.first_rtt_sample_ts != UINT64_MAX;
#endif
    return (cq_stat){
        .latest_rtt = stat.latest_rtt, .has_rtt = has_rtt, .bytes_in_flight = stat.bytes_in_flight};
}

// 0.x has two, of which the first is the measured one; 1.x has one by this name.
ngtcp2_cc_algo cq_compat_bbr(void) { return NGTCP2_CC_ALGO_BBR; }

void cq_compat_set_original_id(ngtcp2_transport_params *params, const ngtcp2_cid *id) {
    params->original_dcid = *id;
#if NGTCP2_VERSION_NUM >= 0x010000
    params->original_dcid_present = 1;
#endif
}

ngtcp2_vec cq_compat_token(const ngtcp2_pkt_hd *header) {
#if NGTCP2_VERSION_NUM >= 0x010000
    return (ngtcp2_vec){.base = (uint8_t *)header->token, .len = header->tokenlen};
#else
    return header->token;
#endif
}

void cq_compat_set_token(ngtcp2_settings *settings, const ngtcp2_pkt_hd *header) {
#if NGTCP2_VERSION_NUM >= 0x010000
    settings->token = header->token;
    settings->tokenlen = header->tokenlen;
#else
    settings->token = header->token;
#endif
}

uint64_t cq_compat_peer_error(ngtcp2_conn *conn, bool *is_application) {
#if NGTCP2_VERSION_NUM >= 0x010000
    const close_error error = *ngtcp2_conn_get_ccerr(conn);
#else
    close_error error;
    ngtcp2_conn_get_connection_close_error(conn, &error);
#endif
    *is_application = error.type == APPLICATION_ERROR;
    return error.error_code;
}

static ngtcp2_ssize write_close(
    ngtcp2_conn *conn, uint8_t *destination, size_t capacity, const close_error *error, uint64_t now) {
    ngtcp2_pkt_info info;
    return ngtcp2_conn_write_connection_close(conn, NULL, &info, destination, capacity, error, now);
}

ngtcp2_ssize cq_compat_write_close(
    ngtcp2_conn *conn, uint8_t *destination, size_t capacity, uint64_t code, uint64_t now) {
    close_error error;
    close_error_default(&error);
    close_error_set_application(&error, code);
    return write_close(conn, destination, capacity, &error, now);
}

ngtcp2_ssize cq_compat_write_failure(
    ngtcp2_conn *conn, uint8_t *destination, size_t capacity, int code, uint64_t now) {
    close_error error;
    close_error_default(&error);
    uint8_t alert = ngtcp2_conn_get_tls_alert(conn);
    if (code == NGTCP2_ERR_CRYPTO && alert != 0) {
        close_error_set_alert(&error, alert);
    } else {
        close_error_set_library(&error, code);
    }
    return write_close(conn, destination, capacity, &error, now);
}
