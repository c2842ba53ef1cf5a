# SPDX-License-Identifier: BSD-2-Clause
"""Messages that are one text part: charsets, odd headers, odd bytes and line ends.

Each function takes a `messages.Source` and returns the message's bytes as a Maildir holds them.
"""

import quopri

from . import texts
from .messages import assemble, base64_lines, encoded, kind


def _plain(source, subject=None, script='latin', **headers):
    body = source.text(script)
    return assemble(source.headers(subject, Content_Type='text/plain; charset=utf-8', Content_Transfer_Encoding='8bit', **headers), body)


@kind()
def plain(source):
    return assemble(source.headers(), source.text())


@kind()
def utf8(source):
    return _plain(source, source.random.choice(texts.SUBJECTS_BY_CHARSET['utf-8']), source.random.choice(list(texts.SENTENCES)))


def _in_charset(charset, encoding):
    def make(source):
        subject = source.random.choice(texts.SUBJECTS_BY_CHARSET[charset])
        headers = source.headers(encoded(subject, charset, encoding), Content_Type=f'text/plain; charset={charset}',
                                 Content_Transfer_Encoding='8bit')
        return assemble(headers, (subject + '\r\n').encode(charset) * source.random.randrange(2, 60))
    make.__name__ = f'subject_{charset}_{encoding}'
    return make


for _charset in texts.SUBJECTS_BY_CHARSET:
    for _encoding in 'bq':
        kind()(_in_charset(_charset, _encoding))


@kind()
def quoted_printable(source):
    body = quopri.encodestring(source.text('german').encode('iso-8859-1')).replace(b'\n', b'\r\n').replace(b'\r\r', b'\r')
    return assemble(source.headers(Content_Type='text/plain; charset=iso-8859-1',
                                   Content_Transfer_Encoding='quoted-printable'), body)


@kind()
def base64_text(source):
    return assemble(source.headers('报价单', Content_Type='text/plain; charset="gb18030"', Content_Transfer_Encoding='base64'),
                    base64_lines(source.text('chinese').encode('gb18030')))


@kind()
def raw_utf8_headers(source):
    return _plain(source, script='chinese', Subject='未编码的主题'.encode(), From='爱丽丝 <alice@example.com>'.encode())


@kind()
def raw_gbk_subject(source):
    return _plain(source, Subject='没有声明的编码'.encode('gbk'))


@kind()
def broken_encoded_words(source):
    return _plain(source, Subject=source.random.choice((
        '=?utf-8?B?5Y+R56Wo6YCa?= =?utf-8?B?55+l', '=?no-such-charset?Q?abc?=', '=?utf-8?X?abc?=', '=?utf-8?B?!!!!?= rest',
        '=?utf-8?Q?caf=C3?= =?utf-8?Q?=A9_split_in_a_character?=', '=?utf-8?B?5Y+R56Wo6YCa?==?utf-8?B?55+l?=', '=?us-ascii?Q?=FF=FE?=',
        '=?utf-8?Q?line=0D=0AX-Injected:_yes?=', '=?utf-8*en?Q?language=21?=', '=?utf-8?Q?' + 'x' * 900 + '?=', '=?=?=?=?', '=?utf-8?Q??=')))


@kind()
def odd_subjects(source):
    return _plain(source, Subject=source.random.choice((
        '', '   ', '.', '..', '/', '-', '!!!???', 'a/b/c', '\x01\x02 control', 'tab\there', 'folded\r\n over\r\n\tlines', '~', '%2F', '\u202egpj.exe',
        'e\u0301' * 60, '𝕏' * 80, 'word ' * 400, 'x' * 300, '👩‍💻👨‍👩‍👧‍👦', 'NUL in the name? no', '.eml', 'con', 'ﷺ', 'İi̇')))


@kind()
def odd_senders(source):
    return _plain(source, From=source.random.choice((
        'undisclosed-recipients:;', '<>', 'just words', '"Example, Alice" <alice@example.com>', 'alice@example.com (Alice in a comment)',
        '<alice@example.com>', 'Alice <alice@example.com>, Bob <bob@example.com>', '"a\\"b" <a@example.com>', '=?utf-8?B?54ix5Li95Lid?=<a@example.com>',
        '"=?utf-8?Q?quoted_encoded?=" <a@example.com>', 'Alice <alice@example.com', '@example.com', '"' + 'n' * 500 + '" <a@example.com>', '')))


@kind()
def no_subject(source):
    return _plain(source, Subject=None)


@kind()
def no_from_no_date(source):
    return _plain(source, From=None, Date=None)


@kind()
def wrong_date(source):
    return _plain(source, Date=source.random.choice(('yesterday', 'Mon, 99 Foo 2026 25:61:61 +9999', '1 Jan 70 00:00 GMT', '')))


@kind()
def one_header(source):
    return assemble({'Subject': f'nothing but this {source.number}'}, source.text())


@kind()
def one_header_no_body(source):
    return f'X-Number: {source.number}\r\n'.encode()


@kind()
def no_header_at_all(source):
    return b'\r\n' + source.text().encode()


@kind()
def empty_body(source):
    return assemble(source.headers())


@kind()
def body_is_one_newline(source):
    return assemble(source.headers(), b'\r\n')


@kind()
def bare_lf(source):
    return _plain(source, script='german').replace(b'\r\n', b'\n')


@kind()
def mixed_line_ends(source):
    return _plain(source).replace(b'\r\n', b'\n', 7).replace(b'. ', b'.\n', 3)


@kind()
def bare_cr(source):
    return assemble(source.headers(), b'one\rtwo\rthree\r\r\nfour\r\n')


@kind()
def no_trailing_newline(source):
    return _plain(source).rstrip(b'\r\n') + b'\r\nlast line without an end'


@kind()
def headers_without_end(source):
    return assemble(source.headers()).rstrip(b'\r\n')


@kind()
def nul_bytes(source):
    return assemble(source.headers(), b'before\0after\r\n\0\0\0\r\n' + source.text().encode() + b'\0')


@kind()
def binary_body(source):
    return assemble(source.headers(Content_Type='application/octet-stream', Content_Transfer_Encoding='binary'),
                    source.bytes(source.random.randrange(1, 8000)))


@kind()
def duplicate_message_id(source):
    return _plain(source, Message_ID='<the-same@example.com>')


@kind()
def no_message_id(source):
    return _plain(source, Message_ID=None)


@kind()
def malformed_header_lines(source):
    return b'>From alice Thu Jan  1 00:00:00 1970\r\n' + assemble(source.headers()).rstrip(b'\r\n') + \
        b'\r\nthis line has no colon\r\nSpace before : colon\r\n: empty name\r\n\xff\xfe: 8-bit name\r\n\r\nbody\r\n'


@kind()
def dots_and_from_lines(source):
    return assemble(source.headers(), '.\r\n..\r\n.leading\r\nFrom here on\r\n>From\r\n--\r\n-- \r\nAlice\r\n' + source.text())


@kind()
def mailing_list(source):
    return _plain(source, f'[users] {source.random.choice(texts.SUBJECTS)}', List_Id='Users <users.lists.example.org>', Precedence='list',
                  List_Unsubscribe='<https://lists.example.org/u>,\r\n\t<mailto:users-leave@lists.example.org>',
                  List_Post='<mailto:users@lists.example.org>', References='\r\n\t'.join(f'<{n}@lists.example.org>' for n in range(40)))


@kind(rare=300)
def long_body_lines(source):
    return assemble(source.headers(), b'x' * 200000 + b'\r\n' + b'y' * 70000)


@kind(rare=1000)
def megabyte_header_line(source):
    return _plain(source, X_Long='v' * (1 << 20))


@kind(rare=1000)
def megabyte_subject(source):
    return _plain(source, Subject='long ' * (1 << 18))


@kind(rare=500)
def many_headers(source):
    return assemble(source.headers(**{f'X_Header_{n}': 'value ' * 10 for n in range(3000)}), source.text())
