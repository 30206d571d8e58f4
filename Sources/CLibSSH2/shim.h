#ifndef VPOWER_CLIBSSH2_SHIM_H
#define VPOWER_CLIBSSH2_SHIM_H

#include <libssh2.h>
#include <openssl/crypto.h>
#include <string.h>

/* libssh2 offers these as macros, which Swift cannot call. Where a length is wanted, strlen counts
   bytes here, so that Swift never passes a number of characters for a number of bytes. */

/* By itself OpenSSL tidies up as the process exits, under threads that end at that moment: both free
   the same list, and a command that has done its work dies of signal 11. Must come before anything
   else uses OpenSSL. */
static inline int vp_crypto_init(void) { return OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL); }

static inline LIBSSH2_SESSION *vp_session_init(void) {
    return libssh2_session_init_ex(NULL, NULL, NULL, NULL);
}

static inline int vp_session_disconnect(LIBSSH2_SESSION *session, const char *why) {
    return libssh2_session_disconnect_ex(session, SSH_DISCONNECT_BY_APPLICATION, why, "");
}

static inline const char *vp_userauth_list(LIBSSH2_SESSION *session, const char *user) {
    return libssh2_userauth_list(session, user, (unsigned int)strlen(user));
}

/* A password may not be changed from here: no callback, so an expired one is an error. */
static inline int vp_userauth_password(
    LIBSSH2_SESSION *session, const char *user, const char *password) {
    return libssh2_userauth_password_ex(
        session, user, (unsigned int)strlen(user), password, (unsigned int)strlen(password), NULL);
}

/* The public half is derived from the private one. The passphrase is never NULL: libssh2's
   callback calls strlen on it. */
static inline int vp_userauth_key_file(
    LIBSSH2_SESSION *session, const char *user, const char *path, const char *passphrase) {
    return libssh2_userauth_publickey_fromfile_ex(
        session, user, (unsigned int)strlen(user), NULL, path, passphrase);
}

typedef LIBSSH2_USERAUTH_PUBLICKEY_SIGN_FUNC((*vp_sign));

typedef LIBSSH2_USERAUTH_KBDINT_RESPONSE_FUNC((*vp_kbdint_answer));

static inline int vp_userauth_keyboard_interactive(
    LIBSSH2_SESSION *session, const char *user, vp_kbdint_answer answer) {
    return libssh2_userauth_keyboard_interactive_ex(
        session, user, (unsigned int)strlen(user), answer);
}

static inline LIBSSH2_CHANNEL *vp_channel_open_session(LIBSSH2_SESSION *session) {
    return libssh2_channel_open_ex(
        session, "session", (unsigned int)(sizeof("session") - 1), LIBSSH2_CHANNEL_WINDOW_DEFAULT,
        LIBSSH2_CHANNEL_PACKET_DEFAULT, NULL, 0);
}

static inline int vp_channel_exec(LIBSSH2_CHANNEL *channel, const char *command) {
    return libssh2_channel_process_startup(
        channel, "exec", (unsigned int)(sizeof("exec") - 1), command,
        (unsigned int)strlen(command));
}

static inline ssize_t vp_channel_write(LIBSSH2_CHANNEL *channel, const char *bytes, size_t count) {
    return libssh2_channel_write_ex(channel, 0, bytes, count);
}

static inline ssize_t vp_channel_read(LIBSSH2_CHANNEL *channel, char *bytes, size_t count) {
    return libssh2_channel_read_ex(channel, 0, bytes, count);
}

static inline ssize_t vp_channel_read_stderr(LIBSSH2_CHANNEL *channel, char *bytes, size_t count) {
    return libssh2_channel_read_ex(channel, SSH_EXTENDED_DATA_STDERR, bytes, count);
}

#endif
