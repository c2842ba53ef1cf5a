# SPDX-License-Identifier: BSD-2-Clause
"""Words, names and sentences in many scripts, of which messages and folder names are made.

Pure data and one text maker; the same seed gives the same text.
"""

PEOPLE = [
    ('Alice Example', 'alice@example.com'), ('Bob Example', 'bob@example.com'), ('Carol Sample', 'carol@example.org'),
    ('Dave, Accounts', 'dave@example.org'), ('爱丽丝', 'alice@example.com'), ('Élodie Exemple', 'elodie@example.org'),
    ('Алиса Примерова', 'alice@example.org'), ('アリス', 'alice@example.net'), ('앨리스', 'alice@example.net'),
    ('أليس', 'alice@example.com'), ('Αλίκη', 'alice@example.org'), ('Jürgen Größe', 'juergen@example.org'),
    ('', 'no-reply@example.com'), ('The "Weekly" (digest)', 'weekly@lists.example.org'),
]

SUBJECTS = [
    'Quarterly report', 'Re: Quarterly report', 'Lunch on Friday?', 'Fwd: minutes of the meeting', '[project] release 2.4.1',
    'Your invoice 2026-0042', 'Build failed: main (3 errors)', 'AW: Terminverschiebung', 'Re: Re: Re: that thing',
    '50% off / this week only!', 'C:\\temp is full', 'Question about ~/.config & "quotes"', '../../etc/passwd', 'a.b.c',
]

# Subjects in the charsets that mail really came in.
SUBJECTS_BY_CHARSET = {
    'utf-8': ['电子发票通知', 'Größe und Übermaß 📎', 'Счёт-фактура № 42', 'नमस्ते दुनिया', 'שלום עולם', 'ภาษาไทย', 'ℌ𝔢𝔩𝔩𝔬'],
    'gb2312': ['关于季度报告的通知', '请查收附件'],
    'gb18030': ['镕基先生的来信㐀', '发票已开具'],
    'big5': ['會議記錄與附件', '請確認訂單'],
    'iso-2022-jp': ['お見積りの件', '会議のお知らせ'],
    'koi8-r': ['Отчёт за квартал', 'Приглашение на встречу'],
    'iso-8859-1': ['Müller: Änderung der Öffnungszeiten', 'Réunion à midi'],
    'iso-8859-15': ['Rechnung über 42 €'],
    'windows-1252': ['It’s “quoted” – 5 €', 'Café naïve'],
    'windows-1251': ['Привет от Алисы'],
    'shift_jis': ['ご注文の確認', '資料を送付します'],
    'euc-jp': ['日本語のテスト'],
    'euc-kr': ['회의 일정 안내', '견적서 송부'],
}

SENTENCES = {
    'latin': 'The meeting moved to Thursday, so please bring the figures that we spoke about. Nothing else has changed since '
             'last week. I have put the draft where everybody finds it. Thanks for looking through it so quickly. ',
    'german': 'Die Änderungen gelten ab übermorgen. Bitte prüfen Sie die Größe der Anhänge. Schöne Grüße aus der Küche. ',
    'chinese': '会议改到星期四，请带上我们讨论过的数据。附件是最新的报价单和发票，请查收。如有问题请随时联系。',
    'japanese': '会議は木曜日に変更になりました。添付の資料をご確認ください。よろしくお願いいたします。',
    'korean': '회의가 목요일로 변경되었습니다. 첨부한 자료를 확인해 주세요. 감사합니다. ',
    'cyrillic': 'Встреча перенесена на четверг. Пожалуйста, проверьте вложение. Спасибо за быстрый ответ. ',
    'greek': 'Η συνάντηση μεταφέρθηκε για την Πέμπτη. Παρακαλώ ελέγξτε το συνημμένο. ',
    'arabic': 'تم نقل الاجتماع إلى يوم الخميس. يرجى مراجعة المرفق. شكرا جزيلا. ',
    'hebrew': 'הפגישה הועברה ליום חמישי. נא לעיין בקובץ המצורף. תודה רבה. ',
    'hindi': 'बैठक गुरुवार को होगी। कृपया संलग्न फ़ाइल देखें। धन्यवाद। ',
    'thai': 'การประชุมเลื่อนไปเป็นวันพฤหัสบดี โปรดตรวจสอบไฟล์แนบ ขอบคุณครับ ',
}

# Folder words in ten scripts and more.
FOLDER_WORDS = {
    'latin': ['Projects', 'Invoices', 'Réunions', 'Büro', 'Łódź', 'İstanbul', 'e\u0301te\u0301'],
    'chinese': ['发票', '项目', '个人', '會議'], 'japanese': ['請求書', 'プロジェクト', 'ｶﾀｶﾅ'], 'korean': ['회의', '청구서'],
    'cyrillic': ['Счета', 'Проекты', 'Її'], 'greek': ['Τιμολόγια', 'Έργα'], 'arabic': ['فواتير', 'مشاريع'],
    'hebrew': ['חשבוניות', 'אישי'], 'hindi': ['परियोजना', 'निजी'], 'thai': ['ใบแจ้งหนี้', 'โครงการ'],
    'georgian': ['პროექტი'], 'armenian': ['Նախագիծ'], 'emoji': ['📎 files', '🗂', '👩‍💻'],
}

FILE_NAMES = ['report.pdf', 'Rechnung März.pdf', '发票 2026-04.pdf', 'a b c.txt', 'photo.jpg', 'Übersicht (final) v2.xlsx',
              '../escape.sh', 'quote".txt', 'данные.csv', 'README', '長い名前' * 12 + '.docx', '.hidden']


def paragraphs(chooser, script, length, line_end='\r\n'):
    """About `length` characters of text, in lines of some 70 characters and paragraphs of some lines."""
    text = SENTENCES[script]
    start = chooser.randrange(len(text))
    text = (text[start:] + text * (length // len(text) + 1))[:length]
    lines = [text[at:at + 70] for at in range(0, len(text), 70)]
    for at in range(5, len(lines), 6):
        lines[at] = ''
    return line_end.join(lines) + line_end
